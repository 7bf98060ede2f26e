// What was sent and what came back, for the engineers of an EHR.

import { el } from "./dom.js";

const kilobytes = (bytes) => `${(bytes / 1000).toFixed(bytes < 10000 ? 1 : 0)} kB`;

/** The parts of the panel for one call. `calls` are the FHIR requests that the service made. */
export function rawParts(called, calls) {
  const { request, answer, status, bytes } = called;
  return [
    el("h3", { text: "What was sent" }),
    el("p", {}, el("code", { text: "POST /cds-services/trial-eligibility" }), ` · ${kilobytes(bytes.sent)}`),
    sentTable(called),
    json("Request", request),
    ...callsMade(calls, request),
    el("h3", { text: "What came back" }),
    el("p", { text: `HTTP ${status} · ${kilobytes(bytes.received)} · ${Math.round(called.answering)} ms` }),
    json("Response", answer),
  ];
}

function sentTable({ request, queries }) {
  const rows = Object.entries(queries).map(([key, query]) => {
    const value = request.prefetch[key];
    let what = "not sent";
    if (value?.resourceType === "Bundle") what = `${value.entry?.length ?? 0} entries`;
    else if (value) what = value.resourceType;
    return el("tr", {},
      el("th", { scope: "row" }, el("code", { text: key })),
      el("td", {}, el("code", { text: query })),
      el("td", { text: what }));
  });
  if (!rows.length) return el("p", { text: "No prefetch: only the patient's id and the FHIR server's address." });
  return el("table", { class: "sent" },
    el("caption", { class: "hidden", text: "Prefetch" }),
    el("thead", {}, el("tr", {}, ...["Key", "Query", "Sent"].map((name) => el("th", { scope: "col", text: name })))),
    el("tbody", {}, ...rows));
}

function callsMade(calls, request) {
  if (!request.fhirServer) return [];
  const heading = `What the service read itself: ${calls.length} FHIR request${calls.length === 1 ? "" : "s"}`;
  return [
    el("h3", { text: heading }),
    el("ol", { class: "calls" }, ...calls.map((call) => el("li", {}, el("code", { text: call })))),
  ];
}

function json(name, value) {
  const text = JSON.stringify(value, null, 2);
  const pre = el("pre", { tabindex: "0", role: "region", "aria-label": `${name} as JSON`, text });
  const copy = el("button", { type: "button", class: "small", text: "Copy" });
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = "Copied";
    } catch {
      copy.textContent = "The browser does not allow copying";
    }
  });
  return el("details", {}, el("summary", { text: `${name} as JSON` }), copy, pre);
}

// What an EHR does when a chart is opened: discovery, prefetch, one POST.

const SERVICE = "trial-eligibility";
const FEEDBACK = `/cds-services/${SERVICE}/feedback`;
const HALF = ["patient", "conditions", "labs", "medreq"];
const FHIR_JSON = { Accept: "application/fhir+json" };
let templates = null;

/** The service's prefetch templates, from discovery; asked once. */
async function discovered() {
  if (templates) return templates;
  const response = await fetch("/cds-services");
  if (!response.ok) throw new Error(`Discovery answered ${response.status}.`);
  const { services } = await response.json();
  const service = services.find((one) => one.id === SERVICE);
  if (!service) throw new Error(`Discovery does not list ${SERVICE}.`);
  templates = service.prefetch;
  return templates;
}

/** One prefetch value: a resource, or a Bundle with all its pages; undefined where it failed. */
async function gathered(query) {
  let url = `/fhir/${query}${query.includes("?") ? "&_count=200" : ""}`;
  let whole = null;
  while (url) {
    const response = await fetch(url, { headers: FHIR_JSON, cache: "no-store" });
    if (!response.ok) return undefined;
    const page = await response.json();
    if (page.resourceType !== "Bundle") return page;
    if (whole === null) whole = page;
    else if (page.entry) whole.entry = [...(whole.entry ?? []), ...page.entry];
    url = page.link?.find((link) => link.relation === "next")?.url;
  }
  whole.link = whole.link?.filter((link) => link.relation !== "next");
  return whole;
}

/** The request for a patient in a mode: "prefetch", "half" or "server". */
async function requestFor(patient, mode, fhirBase) {
  const offered = await discovered();
  const keys = Object.keys(offered).filter(
    (key) => mode === "prefetch" || (mode === "half" && HALF.includes(key)),
  );
  const queries = keys.map((key) => offered[key].replaceAll("{{context.patientId}}", patient));
  const values = await Promise.all(queries.map(gathered));
  const prefetch = {};
  keys.forEach((key, number) => {
    if (values[number] !== undefined) prefetch[key] = values[number];
  });
  const request = {
    hook: "patient-view",
    hookInstance: crypto.randomUUID(),
    context: { userId: "Practitioner/demo", patientId: patient },
  };
  if (keys.length) request.prefetch = prefetch;
  if (mode !== "prefetch") {
    request.fhirServer = fhirBase;
    request.fhirAuthorization = {
      access_token: "demo",
      token_type: "Bearer",
      expires_in: 300,
      scope: "user/*.read",
      subject: SERVICE,
    };
  }
  return { request, queries: Object.fromEntries(keys.map((key, n) => [key, queries[n]])) };
}

/** Fire patient-view: what was sent, what came back, and how long both took (ms). */
export async function fire(patient, mode, fhirBase) {
  const begun = performance.now();
  const { request, queries } = await requestFor(patient, mode, fhirBase);
  const body = JSON.stringify(request);
  const sent = performance.now();
  const response = await fetch(`/cds-services/${SERVICE}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body,
  });
  const text = await response.text();
  const ended = performance.now();
  let answer = null;
  try {
    answer = JSON.parse(text);
  } catch {
    answer = { unreadable: text.slice(0, 500) };
  }
  return {
    request, queries, answer,
    status: response.status,
    bytes: { sent: body.length, received: text.length },
    gathering: sent - begun,
    answering: ended - sent,
  };
}

/** Send one feedback entry; '' when it was taken, else a sentence. */
export async function feedback(entry) {
  try {
    const response = await fetch(FEEDBACK, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        feedback: [{ ...entry, outcomeTimestamp: new Date().toISOString() }],
      }),
    });
    if (response.ok) return "";
    return `The service did not take the feedback: it answered ${response.status}.`;
  } catch {
    return "The feedback did not reach the service.";
  }
}

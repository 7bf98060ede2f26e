// A chart: ask the service when it opens, and again after every change.

import { cardElements, topicOf } from "./cards.js";
import { wireDay } from "./day.js";
import { byId, el, outcomeText, tell, write } from "./dom.js";
import { fire } from "./hook.js";
import { rawParts } from "./raw.js";

const page = byId("patient");
const patient = page.dataset.patient;
const modes = [...document.querySelectorAll('input[name="mode"]')];
let turn = 0; // only the newest call may show its answer
let shown = new Map(); // topic → summary of the cards on the screen
let last = null; // the last call, for "What was sent"

const WITHOUT_CARD = "org.trial-cds.without-card";
const REASONS = {
  "ruled-out": "something rules the patient out, and time alone will not change that soon",
  joined: "the patient is a candidate for it, or on it",
  refused: "the patient does not want to be asked about research",
  muted: "its card was dismissed, and stays away while nothing changes (“Undo every change” on the list of patients brings it back)",
  attested: "a person answered that something rules the patient out",
  off: "this site switched it off",
  deceased: "the patient is recorded as deceased",
};
const modeNow = () => modes.find((mode) => mode.checked).value;
const plural = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

/** From now on the cards on the screen are those of before. */
function begin() {
  byId("advice").setAttribute("aria-busy", "true");
  return ++turn;
}

function end(mine) {
  if (mine === turn) byId("advice").setAttribute("aria-busy", "false");
}

async function ask() {
  const mine = begin();
  byId("advice-status").textContent = "Asking the service …";
  try {
    await tell("/demo/calls", {}); // forget the requests of earlier calls
    const called = await fire(patient, modeNow(), page.dataset.fhirBase);
    const { calls } = await tell("/demo/calls", {});
    if (mine !== turn) return;
    last = { called, calls };
    await show(called, calls);
  } catch (problem) {
    if (mine !== turn) return;
    showProblem(`The service could not be asked: ${problem.message}`);
  } finally {
    end(mine);
  }
  if (byId("raw").open) showRaw();
}

async function show({ answer, status, gathering, answering, request }, calls) {
  if (status !== 200) {
    showProblem(`The service refused with ${status}: ${outcomeText(answer, status)}`);
    return;
  }
  const { cards } = answer;
  const elements = await cardElements(cards, shown, refresh);
  elements.push(...heldBack(answer));
  byId("cards").replaceChildren(...elements);
  byId("advice").scrollTop = 0; // what changed stands first
  showGone(cards);
  shown = new Map(cards.map((card) => [topicOf(card), card.summary]));
  const sent = request.prefetch ? `${Math.round(gathering)} ms to gather the prefetch, ` : "";
  const read = request.fhirServer ? `, with ${plural(calls.length, "FHIR request")} of its own` : "";
  byId("advice-status").textContent =
    `${plural(cards.length, "card")}: ${sent}answered in ${Math.round(answering)} ms${read}.`;
}

/** Why trials give no card, as the answer itself says it: silence is no breakdown. */
function heldBack(answer) {
  const held = answer.extension?.[WITHOUT_CARD] ?? [];
  if (!held.length && answer.cards.length) return [];
  const none = answer.cards.length ? "" : "No card. The record was read; ";
  if (!held.length) {
    const says = `${none}it holds no trial's diagnosis. Most charts look like this.`;
    return [el("p", { class: "notice quiet", text: says })];
  }
  const lines = held.map(({ trial, because }) =>
    el("li", { text: `${trial ? `${trial}: ` : ""}${REASONS[because] ?? because}.` }));
  return [el("div", { class: "notice quiet" },
    el("p", { text: `${none}${none ? "t" : "T"}he answer says why:` }),
    el("ul", { class: "held" }, ...lines))];
}

function showGone(cards) {
  const here = new Set(cards.map(topicOf));
  const gone = [...shown].filter(([topic]) => !here.has(topic)).map(([, summary]) => summary);
  byId("notices").replaceChildren(
    ...gone.map((summary) => el("p", { class: "notice", text: `No longer shown: ${summary}` })),
  );
}

function showProblem(says) {
  byId("cards").replaceChildren(el("p", { class: "notice problem", text: says }));
  byId("notices").replaceChildren();
  byId("advice-status").textContent = "No answer.";
  shown = new Map();
}

function showRaw() {
  if (last) byId("raw-body").replaceChildren(...rawParts(last.called, last.calls));
}

/** Take the chart's parts anew from the server. */
async function refresh() {
  const response = await fetch(location.href, { cache: "no-store" });
  if (!response.ok) throw new Error(`The chart answered ${response.status}.`);
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of document.querySelectorAll("[data-part]")) {
    const anew = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    part.replaceChildren(...anew.childNodes);
  }
  takeDay(fresh);
}

function takeDay(fresh) {
  const today = fresh.getElementById("patient").dataset.today;
  page.dataset.today = document.body.dataset.today = today;
  byId("today-words").replaceChildren(...fresh.getElementById("today-words").childNodes);
  for (const id of ["today-day", "add-day"]) byId(id).defaultValue = byId(id).value = today;
  const back = document.querySelector('[data-move="reset"]');
  const hadFocus = document.activeElement === back;
  back.disabled = fresh.querySelector('[data-move="reset"]').disabled;
  if (hadFocus && back.disabled) byId("today-day").focus();
}

async function stop(reference) {
  const response = await fetch(`/fhir/${reference}`, { cache: "no-store" });
  const entry = await response.json();
  if (!response.ok) throw new Error(outcomeText(entry, response.status));
  const today = page.dataset.today;
  entry.status = "stopped";
  if (entry.resourceType === "MedicationStatement") {
    const start = entry.effectivePeriod?.start ?? entry.effectiveDateTime;
    delete entry.effectiveDateTime;
    entry.effectivePeriod = { ...(start ? { start } : {}), end: today };
  } else {
    const supply = entry.dispenseRequest ?? {};
    entry.dispenseRequest = { ...supply, validityPeriod: { ...supply.validityPeriod, end: today } };
    entry.meta = { ...entry.meta, lastUpdated: `${today}T12:00:00Z` };
  }
  await write(entry, entry.id);
}

function observation() {
  const option = byId("add-test").selectedOptions[0];
  const unit = byId("add-unit").value.trim();
  const quantity = (text) => ({ value: Number(text), ...(unit ? { unit } : {}) });
  const high = byId("add-high").value;
  const system = "http://terminology.hl7.org/CodeSystem/observation-category";
  return {
    resourceType: "Observation",
    status: "final",
    category: [{ coding: [{ system, code: option.dataset.category }] }],
    code: {
      coding: [{ system: "http://loinc.org", code: option.value, display: option.dataset.display }],
      text: option.textContent,
    },
    subject: { reference: `Patient/${patient}` },
    effectiveDateTime: byId("add-day").value,
    issued: new Date().toISOString(),
    valueQuantity: quantity(byId("add-value").value),
    ...(high ? { referenceRange: [{ high: quantity(high) }] } : {}),
  };
}

/** Ready for the next value of the same test; a reset, so that an empty field is no fault yet. */
function emptyForm() {
  const test = byId("add-test").selectedIndex;
  const unit = byId("add-unit").value;
  byId("add-form").reset();
  byId("add-test").selectedIndex = test;
  byId("add-unit").value = unit;
}

function wireChanges() {
  byId("add-test").addEventListener("change", (event) => {
    byId("add-unit").value = event.target.selectedOptions[0].dataset.unit;
  });
  byId("add-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const made = observation();
    const mine = begin();
    try {
      await write(made);
      byId("add-says").textContent = `Added: ${made.code.text} ${byId("add-value").value} ${byId("add-unit").value}.`;
      emptyForm();
      await refresh();
      await ask();
    } catch (problem) {
      end(mine);
      byId("add-says").textContent = `Not added: ${problem.message}`;
    }
  });
  page.addEventListener("click", async (event) => {
    const reference = event.target.dataset?.stop;
    if (!reference) return;
    const mine = begin();
    try {
      await stop(reference);
      await refresh();
      const heading = byId("medications-heading");
      heading.tabIndex = -1;
      heading.focus();
      await ask();
    } catch (problem) {
      end(mine);
      event.target.after(el("span", { role: "alert", text: `Not stopped: ${problem.message}` }));
    }
  });
}

document.body.dataset.today = page.dataset.today;
wireChanges();
wireDay(async () => {
  await refresh();
  await ask();
}, begin);
modes.forEach((mode) => mode.addEventListener("change", ask));
byId("ask-again").addEventListener("click", ask);
byId("raw").addEventListener("toggle", () => byId("raw").open && showRaw());
ask();

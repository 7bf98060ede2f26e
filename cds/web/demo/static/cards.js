// A CDS Hooks card as an EHR's side panel shows it.

import { el, tell, write } from "./dom.js";
import { feedback } from "./hook.js";

const EXTENSION = "org.trial-cds.assessment";
const INDICATORS = { info: "For information", warning: "Warning", critical: "Critical" };
const MARKS = { "✗": "fail", "?": "unknown", "☐": "review", "✓": "pass" };
const MANY = 3; // suggestions, above which they are shown small
const MOST = 6; // suggestions, above which the rest is folded away
const SHORT = 50; // letters of a last column that needs little room
const dismissed = new Map(); // card uuid → the reason given
const accepted = new Map(); // suggestion uuid → what was made

/** The trial that a card is about, so that it is known again when its verdict changes. */
export const topicOf = (card) => card.extension?.[EXTENSION]?.trial ?? card.source.topic?.code ?? "";

/** Elements for cards; `before` has earlier summaries by topic, `changed` is told of new orders. */
export async function cardElements(cards, before, changed) {
  if (!cards.length) return [];
  const details = cards.map((card) => card.detail ?? "");
  const { html } = await tell("/demo/markdown", { texts: details });
  return cards.map((card, number) =>
    cardElement(card, html[number], before.get(topicOf(card)), changed, number < 2),
  );
}

function cardElement(card, html, before, changed, open) {
  const heading = `card-${card.uuid}`;
  const says = el("p", { class: "card-says", role: "status" });
  const article = el("article", { class: `card ${card.indicator}`, "aria-labelledby": heading });
  const isNew = before !== undefined && before !== card.summary;
  article.append(
    el("p", { class: "kind" },
      el("span", { class: "indicator", text: INDICATORS[card.indicator] ?? card.indicator }),
      isNew ? el("span", { class: "changed", text: "Changed" }) : null),
    el("h3", { id: heading, text: card.summary }),
  );
  if (isNew) article.append(el("p", { class: "before", text: `Before: ${before}` }));
  const body = el("div", { class: "card-body" });
  body.append(...suggestionParts(card, says, changed));
  if (html) {
    const detail = el("div", { class: "detail" }, ...detailNodes(html));
    body.append(el("details", { open }, el("summary", { text: "Details" }), detail));
  }
  body.append(linksOf(card), dismissPart(card, article, says));
  article.append(body, says);
  if (dismissed.has(card.uuid)) fold(card, article, dismissed.get(card.uuid));
  return article;
}

/** The nodes of HTML that the demo's server made of Markdown, with what CSS needs to know. */
function detailNodes(html) {
  const { body } = new DOMParser().parseFromString(html, "text/html");
  for (const link of body.querySelectorAll("a")) outside(link);
  for (const row of body.querySelectorAll("tbody tr")) {
    const mark = MARKS[row.cells[0]?.textContent.trim()[0]];
    if (mark) row.dataset.mark = mark;
  }
  for (const table of body.querySelectorAll("table")) {
    const last = [...table.querySelectorAll("tbody td:last-child")];
    if (last.every((cell) => cell.textContent.length <= SHORT)) table.classList.add("short");
  }
  body.querySelectorAll("tbody").forEach(joinFirstCells);
  return [...body.childNodes];
}

/** Say the same first cell once for all its rows: a narrow panel has no room for repeating it. */
function joinFirstCells(rows) {
  let first = null;
  for (const row of rows.rows) {
    const cell = row.cells[0];
    if (first !== null && first.textContent === cell.textContent) {
      first.rowSpan += 1;
      cell.remove();
      row.classList.add("joined");
    } else first = cell;
  }
}

function outside(link) {
  link.target = "_blank";
  link.rel = "noopener noreferrer";
}

function linksOf(card) {
  const links = [...(card.links ?? [])].filter((link) => link.type === "absolute");
  const made = links.map((link) => el("a", { href: link.url, text: link.label }));
  made.forEach(outside);
  const source = card.source.url
    ? el("a", { href: card.source.url, text: card.source.label })
    : el("span", { text: card.source.label });
  if (card.source.url) outside(source);
  return el("p", { class: "links" },
    ...made.flatMap((link) => [link, el("br")]),
    el("span", { class: "source" }, "Source: ", source));
}

function suggestionParts(card, says, changed) {
  if (!card.suggestions?.length) return [];
  const many = card.suggestions.length > MANY;
  const kind = many ? "suggestions many" : "suggestions";
  const list = el("ul", { class: kind });
  const rest = el("ul", { class: kind });
  for (const [number, suggestion] of card.suggestions.entries()) {
    const button = el("button", { type: "button", class: "main", text: suggestion.label });
    const made = el("span", { class: "made" });
    const taken = (what) => {
      button.setAttribute("aria-disabled", "true");
      button.textContent = `✓ ${suggestion.label}`;
      made.textContent = what;
    };
    if (accepted.has(suggestion.uuid)) taken(accepted.get(suggestion.uuid));
    button.addEventListener("click", async () => {
      if (button.getAttribute("aria-disabled")) return;
      button.setAttribute("aria-disabled", "true");
      try {
        const what = await carryOut(suggestion);
        accepted.set(suggestion.uuid, what);
        taken(what);
        says.textContent = await tellAccepted(card, suggestion);
        await changed();
      } catch (problem) {
        button.removeAttribute("aria-disabled");
        says.textContent = `Not done: ${problem.message}`;
      }
    });
    (number < MOST ? list : rest).append(el("li", {}, button, made));
  }
  if (rest.children.length) {
    const open = card.suggestions.slice(MOST).some((one) => accepted.has(one.uuid));
    list.append(el("li", { class: "more-orders" },
      el("details", { open }, el("summary", { text: `${rest.children.length} more orders` }), rest)));
  }
  return [list];
}

async function carryOut(suggestion) {
  const made = [];
  for (const action of suggestion.actions ?? []) {
    if (action.type !== "create") throw new Error(`This demo cannot carry out '${action.type}'.`);
    const kept = await write({ ...action.resource, authoredOn: document.body.dataset.today });
    made.push(`${kept.resourceType}/${kept.id}`);
  }
  return `Draft ${made.join(", ")}`;
}

async function tellAccepted(card, suggestion) {
  const refused = await feedback({
    card: card.uuid,
    outcome: "accepted",
    acceptedSuggestions: [{ id: suggestion.uuid }],
  });
  return refused ? `The draft order is in the chart. ${refused}` : "The draft order is in the chart; the service was told.";
}

function dismissPart(card, article, says) {
  const name = `reason-${card.uuid}`;
  const reasons = card.overrideReasons ?? [];
  const select = el("select", { id: name, required: true },
    el("option", { value: "", text: "Choose a reason" }),
    ...reasons.map((reason) => el("option", { value: reason.code, text: reason.display })));
  const comment = el("input", { id: `${name}-comment`, autocomplete: "off", maxlength: "500" });
  const form = el("form", {
    class: "dismiss-form",
    submit: async (event) => {
      event.preventDefault();
      const reason = reasons.find((one) => one.code === select.value);
      dismissed.set(card.uuid, reason.display);
      fold(card, article, reason.display).focus();
      says.textContent = await tellDismissed(card, reason, comment.value.trim());
    },
  },
  el("label", { for: name, text: "Why?" }), select,
  el("label", { for: comment.id, text: "Comment (optional)" }), comment,
  el("button", { type: "submit", text: "Dismiss this card" }));
  return el("details", { class: "dismiss" }, el("summary", { text: "Dismiss" }), form);
}

async function tellDismissed(card, reason, comment) {
  const why = { reason: { code: reason.code, system: reason.system, display: reason.display } };
  if (comment) why.userComment = comment;
  const refused = await feedback({ card: card.uuid, outcome: "overridden", overrideReason: why });
  return refused || "The service was told.";
}

/** Fold a dismissed card to its summary; answers the button that opens it again. */
function fold(card, article, reason) {
  article.classList.add("folded");
  const again = el("button", { type: "button", class: "small", text: "Show again" });
  const line = el("p", { class: "folded-line" }, `Dismissed: ${reason} `, again);
  again.addEventListener("click", () => {
    dismissed.delete(card.uuid);
    article.classList.remove("folded");
    line.remove();
    const heading = article.querySelector("h3");
    heading.tabIndex = -1;
    heading.focus();
  });
  article.querySelector(".card-body").before(line);
  return again;
}

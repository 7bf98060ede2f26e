// Small helpers: building elements, and talking to the demo's own server.

export const byId = (id) => document.getElementById(id);

/** An element with attributes ('text' is its text, functions are listeners) and children. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") made.textContent = value;
    else if (typeof value === "function") made.addEventListener(key, value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** POST JSON to the demo; the answer's JSON. Throws an Error that says what the server said. */
export async function tell(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.says || `The demo answered ${response.status}.`);
  return answer;
}

/** One sentence from an OperationOutcome, or the status. */
export function outcomeText(answer, status) {
  const said = answer?.issue?.map((issue) => issue.diagnostics || issue.details?.text).filter(Boolean);
  return said?.length ? said.join(" ") : `The answer was ${status}.`;
}

/** Write a resource to the FHIR endpoint: POST without an id, PUT with one. */
export async function write(resource, id) {
  const path = `/fhir/${resource.resourceType}${id ? `/${id}` : ""}`;
  const response = await fetch(path, {
    method: id ? "PUT" : "POST",
    headers: { "Content-Type": "application/fhir+json" },
    body: JSON.stringify(resource),
  });
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Error(outcomeText(answer, response.status));
  return answer;
}

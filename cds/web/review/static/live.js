// Reload when a file changed; keys to walk; the protocol's sentence beside the criterion.

const root = document.documentElement;
const says = document.querySelector("[data-live]");

async function look() {
  try {
    const answer = await fetch("/state", { cache: "no-store" });
    const { signature } = await answer.json();
    root.dataset.lost = "";
    if (signature !== root.dataset.signature) {
      says.textContent = "Changed: reading again…";
      location.reload();
      return;
    }
    says.textContent = "Live: a saved file shows at once";
  } catch {
    root.dataset.lost = "yes";
    says.textContent = "The review server has ended";
  }
  setTimeout(look, 700);
}
setTimeout(look, 700);

for (const field of document.querySelectorAll("[data-submit]")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}

const criteria = [...document.querySelectorAll(".criterion")];

function highlight(id) {
  for (const piece of document.querySelectorAll(".piece")) {
    const here = piece.dataset.claims.split(" ").includes(id);
    piece.classList.toggle("here", here);
    if (here) {
      piece.scrollIntoView({ block: "nearest" });
    }
  }
  for (const criterion of criteria) {
    criterion.classList.toggle("here", criterion.id === id);
  }
}

for (const criterion of criteria) {
  criterion.addEventListener("focusin", () => highlight(criterion.id));
  criterion.addEventListener("click", () => highlight(criterion.id));
}

function walk(step) {
  const now = criteria.findIndex((criterion) => criterion.contains(document.activeElement));
  const next = criteria[Math.min(Math.max(now + step, 0), criteria.length - 1)];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "start" });
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "j") walk(1);
  if (event.key === "k") walk(-1);
});

function follow() {
  const id = decodeURIComponent(location.hash.slice(1));
  const criterion = criteria.find((one) => one.id === id);
  if (criterion) {
    criterion.focus({ preventScroll: true });
    highlight(id);
  }
}
addEventListener("hashchange", follow);
follow();

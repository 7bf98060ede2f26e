// The demo's day: one step, a week, any date, or back to the real one.

import { byId, tell } from "./dom.js";

const DAY = 24 * 3600 * 1000;

/** Wire the form in the bar; `moved` is called when the server has a new day, `moving` before. */
export function wireDay(moved, moving = () => {}) {
  const form = byId("today-form");
  const input = byId("today-day");
  let wanted = null; // the day of the last click: three quick ones are three days

  const go = async (day) => {
    wanted = day;
    moving();
    try {
      await tell("/demo/today", { day });
      if (wanted === day) await moved();
    } catch (problem) {
      await moved().catch(() => {}); // the day is what it was
      byId("today-words").textContent = problem.message;
    } finally {
      if (wanted === day) wanted = null;
    }
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    go(input.value);
  });
  form.addEventListener("click", (event) => {
    const step = event.target.dataset?.move;
    if (!step) return;
    if (step === "reset") return go(null);
    const from = Date.parse(`${wanted ?? input.defaultValue}T00:00:00Z`);
    return go(new Date(from + Number(step) * DAY).toISOString().slice(0, 10));
  });
}

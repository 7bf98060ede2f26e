// The list of patients: moving the day, and undoing every change.

import { wireDay } from "./day.js";
import { byId, tell } from "./dom.js";

wireDay(async () => location.reload());

byId("reset").addEventListener("click", async () => {
  try {
    await tell("/demo/reset", {});
    byId("reset-says").textContent = "Every chart and the day are as they were.";
    sessionStorage.clear();
  } catch (problem) {
    byId("reset-says").textContent = problem.message;
  }
});

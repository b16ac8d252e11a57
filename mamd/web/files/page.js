// Fetches the page again when the daemon says that something changed, and now and then for the clocks.
// Without this script the page is the same; the browser then loads it anew by itself.
"use strict";

const EVERY_MS = 5000;
let busy = false;
let again = false;

async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    const answer = await fetch("/", { headers: { accept: "text/html" }, signal: AbortSignal.timeout(8000) });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    replace(fresh.querySelector("main"));
  } catch {
    lost();
  }
  busy = false;
  if (again) { again = false; setTimeout(refresh, 300); }
}

// Only what differs is put in, so that a screen reader does not say everything again.
function replace(fresh) {
  const shown = document.querySelector("main");
  const before = [...shown.children].filter((part) => !part.classList.contains("lost"));
  if (before.length !== fresh.children.length) { shown.replaceChildren(...fresh.children); return; }
  shown.querySelector(".lost")?.remove();
  [...fresh.children].forEach((part, place) => {
    if (part.outerHTML !== before[place].outerHTML) before[place].replaceWith(part);
  });
}

// A page that shows old news must say so.
function lost() {
  if (document.querySelector(".lost")) return;
  const note = document.createElement("p");
  note.className = "lost";
  note.setAttribute("role", "alert");
  note.textContent = "mamd does not answer. What is shown here is old. Is the service running on this host?";
  document.querySelector("main").prepend(note);
}

new EventSource("/v1/events").addEventListener("changed", refresh);
setInterval(refresh, EVERY_MS);

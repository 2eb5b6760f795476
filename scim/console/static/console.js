// Optional features of the pages: copy buttons, `/` for the search, search as you type, lists that refresh themselves.
"use strict";

const said = document.getElementById("said");

function say(text) {
  said.textContent = "";
  window.setTimeout(() => { said.textContent = text; }, 50);
}

async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("refused");
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const label = button.dataset.label || (button.dataset.label = button.textContent);
  try {
    await copy(button.dataset.copy);
    button.textContent = "Copied";
    say("Copied");
  } catch {
    button.textContent = "Select and copy";
    say("The browser does not allow copying; select the text.");
  }
  window.setTimeout(() => { button.textContent = label; }, 1600);
});

document.addEventListener("keydown", (event) => {
  const search = document.querySelector("input[type=search]");
  const typing = event.target.closest("input, select, textarea");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing || !search) return;
  event.preventDefault();
  search.focus();
  search.select();
});

function reveal(root) {
  root.querySelectorAll("[data-copy]").forEach((button) => { button.hidden = false; });
}

let current = null;

// Fetch a page of the console and replace one element of this page with its new version; a newer call cancels an older.
async function swap(address, id, extra = {}) {
  current?.abort();
  const mine = (current = new AbortController());
  const answer = await fetch(address, { signal: mine.signal, headers: { Accept: "text/html", ...extra } });
  if (answer.redirected && new URL(answer.url).pathname.endsWith("/sign-in")) {
    window.location.reload();
    return null;
  }
  if (!answer.ok) throw new Error(String(answer.status));
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById(id);
  const old = document.getElementById(id);
  if (mine !== current || !fresh || !old) return null;
  if (fresh.innerHTML !== old.dataset.seen) {
    const html = fresh.innerHTML;
    old.replaceWith(fresh);
    fresh.dataset.seen = html;
    reveal(fresh);
  }
  return fresh;
}

document.querySelectorAll("form[data-live]").forEach((form) => {
  let timer = 0;
  const run = async () => {
    const asked = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value !== "") asked.set(name, value);
    const address = form.action + (asked.size ? `?${asked}` : "");
    try {
      const results = await swap(address, form.dataset.live);
      if (!results) return;
      window.history.replaceState(null, "", address);
      const count = results.querySelector(".pager span");
      say(count?.textContent.trim() || results.querySelector(".empty")?.textContent.trim() || "");
    } catch (error) {
      if (error.name !== "AbortError") form.submit();
    }
  };
  form.addEventListener("input", () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(run, 200);
  });
});

document.querySelectorAll("button[data-refresh]").forEach((button) => {
  button.hidden = false;
  const isOn = () => button.getAttribute("aria-pressed") === "true";
  button.addEventListener("click", () => button.setAttribute("aria-pressed", String(!isOn())));
  window.setInterval(async () => {
    const inside = document.getElementById(button.dataset.refresh)?.contains(document.activeElement);
    if (!isOn() || document.hidden || inside) return;
    try {
      await swap(window.location.href, button.dataset.refresh, { "Perch-Refresh": "1" });
    } catch {
      // The server may be restarting; the next interval tries again.
    }
  }, 1000 * Number(button.dataset.seconds));
});

reveal(document);

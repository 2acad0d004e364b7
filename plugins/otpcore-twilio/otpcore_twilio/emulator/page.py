"""The page that shows the inbox as a phone would, for a person who tries a flow by hand.

One document, style and script inside, nothing from elsewhere: the policy in `HEADERS` lets the browser run exactly
this script and talk to this origin alone. What a message says reaches the page as text, never as markup.

Rule of this file: two constants; what they show comes from `control`.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HEADERS", "HTML"]

_STYLE: Final = """
:root { color-scheme: light dark; --paper: #eceff3; --ink: #17202a; --faint: #67727e; --phone: #fff; --edge: #1c2229;
  --line: #dfe4ea; --bubble: #e6e9ee; --accent: #0a63c9; --call: #dff3e4; --whatsapp: #dcf8c6; }
@media (prefers-color-scheme: dark) { :root { --paper: #12161b; --ink: #e9edf2; --faint: #96a1ad; --phone: #1b2128;
  --edge: #000; --line: #2c343d; --bubble: #2b333c; --accent: #6db1ff; --call: #1f3a29; --whatsapp: #1f3d2e; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; background: var(--paper); color: var(--ink); display: flex; flex-wrap: wrap;
  gap: 2.5rem; justify-content: center; align-items: flex-start; align-content: flex-start; padding: 2rem 1rem;
  font: 16px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
.phone { width: 22rem; max-width: 100%; height: 42rem; max-height: calc(100vh - 4rem); background: var(--phone);
  border: .7rem solid var(--edge); border-radius: 2.6rem; overflow: hidden; display: flex; flex-direction: column;
  box-shadow: 0 1.2rem 3rem rgb(0 0 0 / .22); }
header { padding: 1rem 1.1rem .8rem; border-bottom: 1px solid var(--line); }
.bar { display: flex; justify-content: space-between; font-size: .8rem; color: var(--faint); margin-bottom: .5rem;
  font-variant-numeric: tabular-nums; }
select { width: 100%; font: inherit; font-weight: 600; color: inherit; background: var(--bubble); border: 0;
  border-radius: .6rem; padding: .45rem .6rem; }
ol { list-style: none; margin: 0; padding: 1rem; overflow-y: auto; flex: 1; display: flex; flex-direction: column;
  gap: .9rem; }
ol:empty::after { content: "No message yet"; color: var(--faint); margin: auto; }
li { max-width: 92%; align-self: flex-start; }
.about { font-size: .75rem; color: var(--faint); margin: 0 .3rem .2rem; font-variant-numeric: tabular-nums; }
.bubble { background: var(--bubble); border-radius: 1.1rem 1.1rem 1.1rem .3rem; padding: .6rem .85rem;
  overflow-wrap: anywhere; }
.call .bubble { background: var(--call); }
.whatsapp .bubble { background: var(--whatsapp); }
.copy { margin: .25rem .3rem 0; padding: 0; border: 0; background: none; color: var(--accent); font: inherit;
  font-size: .85rem; cursor: pointer; }
aside { width: 22rem; max-width: 100%; }
h1 { font-size: 1.25rem; margin: .4rem 0 .3rem; }
aside p { color: var(--faint); margin: 0 0 1rem; }
.tools { display: flex; flex-wrap: wrap; gap: .5rem; margin-bottom: 1.2rem; }
.tools button { font: inherit; font-size: .9rem; color: inherit; background: var(--phone); cursor: pointer;
  border: 1px solid var(--line); border-radius: .6rem; padding: .4rem .8rem; }
summary { cursor: pointer; font-weight: 600; }
table { border-collapse: collapse; width: 100%; font-size: .82rem; margin-top: .6rem;
  font-variant-numeric: tabular-nums; }
td, th { text-align: left; padding: .22rem .6rem .22rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--faint); font-weight: 500; }
"""

_SCRIPT: Final = """
"use strict";
const byId = (id) => document.getElementById(id);
const make = (tag, className, text) => {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
};
const json = async (path, options) => (await fetch(path, options)).json();
const clockOf = (at) => at.slice(11, 19);
const kinds = { sms: "SMS", call: "Phone call", whatsapp: "WhatsApp", email: "E-mail" };
let shown = "";
let messages = [];

function draw() {
  const chosen = byId("who").value;
  const list = byId("messages");
  list.replaceChildren(...messages.filter((one) => !chosen || one.to === chosen).map((one) => {
    const item = make("li", kinds[one.channel] ? one.channel : "", "");
    const kind = kinds[one.channel] || one.channel;
    item.append(make("p", "about", [clockOf(one.at), kind].concat(chosen ? [] : [one.to]).join(" \\u00b7 ")));
    item.append(make("div", "bubble", one.text));
    const copy = make("button", "copy", "Copy " + one.code);
    copy.type = "button";
    copy.addEventListener("click", () => navigator.clipboard.writeText(one.code));
    item.append(copy);
    return item;
  }));
  list.scrollTop = list.scrollHeight;
}

async function refresh() {
  const [found, clock] = await Promise.all([json("/_emulator/inbox"), json("/_emulator/clock")]);
  byId("clock").textContent = clockOf(clock.now) + " UTC";
  byId("state").textContent = "connected";
  const now = JSON.stringify(found);
  if (now === shown) return;
  shown = now;
  messages = found;
  const who = byId("who");
  const chosen = who.value;
  const numbers = [...new Set(found.map((one) => one.to))].sort();
  who.replaceChildren(new Option("All recipients", ""), ...numbers.map((to) => new Option(to, to)));
  who.value = numbers.includes(chosen) ? chosen : "";
  draw();
}

async function watch() {
  try { await refresh(); } catch { byId("state").textContent = "not reachable"; }
  setTimeout(watch, 1000);
}

for (const button of document.querySelectorAll("[data-advance]")) {
  button.addEventListener("click", async () => {
    await json("/_emulator/clock", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ advance_s: Number(button.dataset.advance) }),
    });
    await refresh();
  });
}
byId("clear").addEventListener("click", async () => {
  await fetch("/_emulator/inbox", { method: "DELETE" });
  await refresh();
});
byId("who").addEventListener("change", draw);
json("/_emulator/numbers").then((rows) => byId("numbers").replaceChildren(...rows.map((row) => {
  const line = document.createElement("tr");
  const outcome = row.outcome + (row.processed ? ", after taking effect" : "")
    + (row.channels ? " (" + row.channels.join(", ") + ")" : "");
  line.append(make("td", "", row.number), make("td", "", row.on), make("td", "", outcome));
  return line;
})));
watch();
"""

HTML: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Twilio Verify emulator</title>
<style>{_STYLE}</style>
</head>
<body>
<main class="phone" aria-label="Phone">
<header>
<div class="bar"><span id="clock"></span><span id="state" role="status"></span></div>
<select id="who" aria-label="Recipient"><option value="">All recipients</option></select>
</header>
<ol id="messages" aria-live="polite"></ol>
</main>
<aside>
<h1>Twilio Verify emulator</h1>
<p>Messages that would have been sent. Nothing leaves this machine.</p>
<div class="tools">
<button type="button" data-advance="30">+30 s</button>
<button type="button" data-advance="60">+1 min</button>
<button type="button" data-advance="600">+10 min</button>
<button type="button" id="clear">Clear inbox</button>
</div>
<details>
<summary>Numbers that fail on purpose</summary>
<table><thead><tr><th>number</th><th>on</th><th>outcome</th></tr></thead><tbody id="numbers"></tbody></table>
</details>
</aside>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def _hash(text: str) -> str:
    """A Content-Security-Policy source that matches exactly this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        f"default-src 'none'; script-src {_hash(_SCRIPT)}; style-src {_hash(_STYLE)}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

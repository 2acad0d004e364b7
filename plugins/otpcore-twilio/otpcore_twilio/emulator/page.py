"""The page on which a person tries a flow by hand: a phone that shows the inbox, beside it what an application does.

One document, style and script inside, nothing from elsewhere: the policy in `HEADERS` lets the browser run exactly
this script and talk to this origin alone. What a message says reaches the page as text, never as markup.

A connection that is reset is not among the faults to choose: a browser asks again by itself, and shows nothing.

Rule of this file: two constants; what they show comes from `control` and the API.
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
.whose { display: flex; gap: .8rem; }
.whose button { border: 0; background: none; color: var(--accent); font: inherit; font-size: .9rem; padding: 0;
  cursor: pointer; }
select { flex: 1; min-width: 0; font: inherit; font-weight: 600; color: inherit; background: var(--bubble); border: 0;
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
.use { margin: .25rem .3rem 0; padding: 0; border: 0; background: none; color: var(--accent); font: inherit;
  font-size: .85rem; cursor: pointer; }
aside { width: 22rem; max-width: 100%; }
h1 { font-size: 1.25rem; margin: .4rem 0 .3rem; }
aside p { color: var(--faint); margin: 0 0 1rem; }
.tools { display: flex; flex-wrap: wrap; gap: .5rem; margin-bottom: 1.2rem; }
.tools button { font: inherit; font-size: .9rem; color: inherit; background: var(--phone); cursor: pointer;
  border: 1px solid var(--line); border-radius: .6rem; padding: .4rem .8rem; }
h2 { font-size: 1rem; margin: 1.2rem 0 .5rem; }
.tools input, .tools select { font: inherit; font-size: .9rem; color: inherit; background: var(--phone); flex: 1 1 6rem;
  min-width: 0; width: auto; border: 1px solid var(--line); border-radius: .6rem; padding: .4rem .6rem; }
.tools label { font-size: .85rem; color: var(--faint); align-self: center; }
.tools label input { flex: none; }
.tools select.outcome { flex-basis: 100%; }
button:hover { filter: brightness(.95); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
::placeholder { color: var(--faint); opacity: 1; }
@media (max-width: 48rem) { body { gap: 1.5rem; padding: 1rem; } .phone { height: 26rem; } aside { width: 100%; } }
pre { font: .78rem/1.4 ui-monospace, monospace; background: var(--phone); border: 1px solid var(--line); margin: 0;
  border-radius: .6rem; padding: .6rem .8rem; max-height: 16rem; overflow: auto; white-space: pre-wrap;
  overflow-wrap: anywhere; }
pre:empty { display: none; }
td button { all: unset; cursor: pointer; color: var(--accent); }
summary { cursor: pointer; font-weight: 600; margin-top: 1.2rem; }
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
    if (!one.code) return item;
    const use = make("button", "use", "Use " + one.code);
    use.type = "button";
    use.addEventListener("click", () => {
      byId("to").value = one.to;
      byId("code").value = one.code;
      const copied = () => { use.textContent = "Copied " + one.code; };
      navigator.clipboard?.writeText(one.code).then(copied, () => {});  // not everywhere, and not always allowed
    });
    item.append(use);
    return item;
  }));
  list.scrollTop = list.scrollHeight;
}

async function refresh() {
  const paths = ["/_emulator/inbox", "/_emulator/clock", "/_emulator/faults"];
  const [found, clock, waiting] = await Promise.all(paths.map((path) => json(path)));
  byId("clock").textContent = clockOf(clock.now) + " UTC" + (clock.running ? "" : ", stopped");
  byId("state").textContent = "connected";
  byId("waiting").textContent = waiting.map(({ outcome, left, ...rest }) =>
    [outcome ?? "late", "left: " + (left ?? "all")].concat(Object.entries(rest).map((pair) => pair.join(": ")))
      .join(", ")).join("\\n");
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

async function ask(path, form) {
  const account = await json("/_emulator/account");
  const url = "/v2/Services/" + account.service_sid + path;
  const asked = "\\n\\nPOST " + url + "\\n" + new URLSearchParams(form);
  byId("answer").textContent = "waiting" + asked;
  let told;
  try {
    const answer = await fetch(url, {
      method: "POST",
      credentials: "omit",
      headers: { Authorization: "Basic " + btoa(account.account_sid + ":" + account.auth_token) },
      body: new URLSearchParams(form),
      signal: AbortSignal.timeout(10000),
    });
    const text = await answer.text();
    let said = [];
    try {
      const body = JSON.parse(text);
      said = answer.ok ? [body.status] : [body.code, body.message];
      told = JSON.stringify(body, null, 2);
    } catch { told = text; }
    told = [answer.status, answer.statusText, ...said].join(" ").trim() + "\\n\\n" + told;
  } catch (error) {
    told = "no answer: " + error.message;
  }
  byId("answer").textContent = told + asked;
  byId("answer").scrollTop = 0;
  await refresh();
}

const to = () => byId("to").value.trim();
byId("send").addEventListener("click", () => ask("/Verifications", { To: to(), Channel: byId("channel").value }));
byId("check").addEventListener("click", () => ask("/VerificationCheck", { To: to(), Code: byId("code").value.trim() }));
byId("cancel").addEventListener("click", () =>
  ask("/Verifications/" + encodeURIComponent(to()), { Status: "canceled" }));

for (const [field, button] of [["to", "send"], ["code", "check"]]) {
  byId(field).addEventListener("keydown", (event) => { if (event.key === "Enter") byId(button).click(); });
}

async function faults(options) {
  await fetch("/_emulator/faults", options);
  await refresh();
}
byId("spoil").addEventListener("click", () => {
  const outcome = byId("outcome").value;
  const fault = /^[0-9]+$/.test(outcome) ? Number(outcome) : outcome;
  return faults({
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ outcome: fault, processed: byId("processed").checked }),
  });
});
byId("heal").addEventListener("click", () => faults({ method: "DELETE" }));

json("/_emulator/numbers").then((rows) => byId("numbers").replaceChildren(...rows.map((row) => {
  const line = document.createElement("tr");
  const outcome = row.outcome + (row.processed ? ", after taking effect" : "")
    + (row.channels ? " (" + row.channels.join(", ") + ")" : "");
  const number = make("td", "", "");
  const choose = make("button", "", row.number);
  choose.type = "button";
  choose.addEventListener("click", () => { byId("to").value = row.number; });
  number.append(choose);
  line.append(number, make("td", "", row.on), make("td", "", outcome));
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
<div class="whose"><select id="who" aria-label="Recipient"><option value="">All recipients</option></select>
<button type="button" id="clear">Clear</button></div>
</header>
<ol id="messages" aria-live="polite"></ol>
</main>
<aside>
<h1>Twilio Verify emulator</h1>
<p>Messages that would have been sent. Nothing leaves this machine.</p>
<h2>The clock</h2>
<div class="tools">
<button type="button" data-advance="30">+30 s</button>
<button type="button" data-advance="60">+1 min</button>
<button type="button" data-advance="600">+10 min</button>
</div>
<h2>What an application asks</h2>
<div class="tools">
<input id="to" aria-label="To" value="+12025550123" autocomplete="off">
<select id="channel" aria-label="Channel"><option>sms<option>call<option>whatsapp<option>email<option>auto</select>
<button type="button" id="send">Send</button>
</div>
<div class="tools">
<input id="code" aria-label="Code" placeholder="Code" inputmode="numeric" autocomplete="off">
<button type="button" id="check">Check</button>
<button type="button" id="cancel">Cancel</button>
</div>
<pre id="answer" role="status"></pre>
<h2>Spoil the next request</h2>
<div class="tools">
<select class="outcome" id="outcome" aria-label="Outcome">
<option value="20429">20429: too many requests<option value="503">503: Twilio is down
<option value="truncated">truncated: half an answer
<option value="garbage">garbage: an HTML page<option value="hang">hang: nothing is ever answered</select>
<label><input type="checkbox" id="processed"> after it took effect</label>
<button type="button" id="spoil">Spoil</button>
<button type="button" id="heal">Spoil none</button>
</div>
<pre id="waiting"></pre>
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

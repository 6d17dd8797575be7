"use strict";
// Asks where the scan stands once a second, shows it, and passes on what the buttons say.

const EVERY = 1000; // ms
const HELD = ["paused", "waiting for approval", "cut off", "aborted", "failed", "unreadable", "gone"];
const at = (id) => document.getElementById(id);
const buttons = [...document.querySelectorAll("[data-kind]")];

let key = document.body.dataset.key || sessionStorage.getItem("key") || "";
let shown = 0; // the drawing that is on the page
let latest = { buttons: {} };
let asking = ""; // what was said and has not been answered yet

if (document.body.dataset.key) {
  sessionStorage.setItem("key", key);
  delete document.body.dataset.key;
  history.replaceState(null, "", "/"); // so that a reload asks for the page, and sends nothing again
}

function write(element, words) {
  if (element.textContent !== words) element.textContent = words; // else it is read out again
}

function text(id, words) {
  write(at(id), words);
}

function made(tag, words) {
  const element = document.createElement(tag);
  element.textContent = words ?? "";
  return element;
}

function say(words, refused) {
  at("said").className = refused ? "refused" : "";
  text("said", words);
}

function showState(told) {
  latest = told;
  text("title", told.title || "skysteer");
  text("facts", told.facts || "");
  text("state", told.state);
  at("state").className =
    told.state === "running" ? "running" : HELD.includes(told.state) ? "held" : "";
  text("words", told.words);
  document.title = `${told.state} · ${told.title || "skysteer monitor"}`;
  showProgress(told.progress || []);
  at("next").replaceChildren(...(told.next || []).map((words) => made("li", words)));
  showInterventions(told.interventions || []);
  showButtons();
}

function showProgress(measures) {
  const rows = measures.map(({ name, share, text }) => {
    const row = made("div");
    const words = made("p");
    words.append(made("span", name), made("span", text));
    row.append(words);
    if (share !== null) {
      const bar = document.createElement("progress");
      bar.value = share;
      bar.setAttribute("aria-label", name);
      row.append(bar);
    }
    return row;
  });
  at("progress").replaceChildren(...rows);
}

function showInterventions(said) {
  const rows = said.map((cells) => {
    const row = made("tr");
    row.append(...cells.map((cell) => made("td", cell)));
    return row;
  });
  at("interventions").tBodies[0].replaceChildren(...rows);
  at("interventions").hidden = !said.length;
  at("nobody").hidden = said.length > 0;
}

function showButtons() {
  for (const button of buttons) {
    const meant = latest.buttons[button.dataset.kind];
    const enabled = Boolean(key) && !asking && meant !== false && meant !== null && meant !== undefined;
    if (button.disabled === enabled) button.disabled = !enabled;
  }
  const waiting = latest.buttons.approve;
  write(buttons[2], typeof waiting === "number" ? `Approve batch ${waiting}` : "Approve");
  at("unlock").hidden = Boolean(key);
}

async function showImages({ drawn, images }) {
  if (drawn === shown) return;
  const blobs = await Promise.all(
    images.map(async (_, k) => {
      const answer = await fetch(`image/${drawn}/${k}.png`);
      if (!answer.ok) throw new Error("a newer drawing is there");
      return URL.createObjectURL(await answer.blob());
    }),
  );
  const panels = at("images");
  while (panels.children.length > images.length) panels.lastChild.remove();
  while (panels.children.length < images.length) {
    const panel = made("figure");
    panel.append(made("figcaption"), made("img"));
    panels.append(panel);
  }
  images.forEach(({ title, alt, width, height }, k) => {
    const [caption, image] = panels.children[k].children;
    write(caption, title);
    if (image.src) URL.revokeObjectURL(image.src);
    Object.assign(image, { alt, width, height, src: blobs[k] });
  });
  const widest = Math.max(336, ...images.map((each) => each.width * 0.85));
  panels.style.setProperty("--tile", `${widest}px`);
  panels.dataset.drawn = shown = drawn;
}

async function look() {
  try {
    const answer = await fetch(`state?shown=${shown}`);
    if (!answer.ok) throw new Error(answer.statusText);
    const told = await answer.json();
    showState(told);
    await showImages(told).catch(() => {}); // the next look brings them
  } catch {
    const ended = "The monitor has ended, or cannot be reached: this is what it showed last.";
    showState({ ...latest, state: "gone", words: ended, buttons: {} });
  }
  setTimeout(look, document.hidden ? 3 * EVERY : EVERY);
}

async function send(path, content, headers = {}) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(content),
  });
  const told = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(told.why), { status: answer.status });
  return told;
}

async function tell(kind) {
  const detail = kind === "approve" ? { decision: latest.buttons.approve } : {};
  asking = kind;
  showButtons();
  say(`Telling the scan: ${kind}. It listens between two points.`);
  try {
    await send("tell", { kind, detail }, { Authorization: `Bearer ${key}` });
    say(`The scan has taken it: ${kind}.`);
  } catch (error) {
    say(error.message, true);
    if (error.status === 403) lockAgain();
  }
  asking = "";
  showButtons();
}

function lockAgain() {
  key = "";
  sessionStorage.removeItem("key");
}

for (const button of buttons) {
  const { kind } = button.dataset;
  button.addEventListener("click", () => (kind === "stop" ? at("end").showModal() : tell(kind)));
}
at("end").addEventListener("close", () => {
  if (at("end").returnValue === "stop") tell("stop");
  at("end").returnValue = "";
});
at("unlock").addEventListener("click", () => {
  text("wrong", "");
  at("lock").showModal();
  at("token").focus();
});
at("lock").addEventListener("close", () => (at("token").value = ""));
at("lock").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target === at("token")) {
    event.preventDefault(); // Enter would take the form's first button, which cancels
    at("try").click();
  }
});
at("try").addEventListener("click", async (event) => {
  event.preventDefault();
  const pasted = at("token").value; // the file is JSON; its token alone will do as well
  const [token] = pasted.match(/[0-9a-f]{32}/) || [pasted];
  try {
    ({ key } = await send("unlock", { token }));
    sessionStorage.setItem("key", key);
    at("lock").close();
    say("Unlocked: the buttons steer the scan.");
    showButtons();
  } catch (error) {
    text("wrong", error.message);
  }
});
look();

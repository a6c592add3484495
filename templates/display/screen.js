
"use strict";
(() => {
  const page = document.body.dataset, isKitchen = page.view === "kitchen";
  const exponents = JSON.parse(page.exponents);
  const kept = "display:" + page.store, finished = "done:" + page.store;
  const STALE = 30000, HUNG = 45000, LONGEST_PAUSE = 15000, CODE_CHECKED = 60000, CODE_AGAIN = 5000, FRESH = 8000;
  const STAYS = { succeeded: 120000, failed: 60000, cancelled: 60000, expired: 60000 };
  const WORDS = { succeeded: "Paid", failed: "Failed", cancelled: "Cancelled", expired: "Expired", authorized: "Held, not collected" };
  const SLOW = 5 * 60000, LATE = 10 * 60000, FORGOTTEN = 36 * 3600000;
  const at = (id) => document.getElementById(id);
  const board = at("board");
  const payments = new Map(), codes = new Map(), cards = new Map();
  let token = "", lastId = "", heard = Date.now(), pause = 1000, going = null, current = "", undone = "", isTold = false;
  let done = read(finished);

  // Time and money

  // A screen whose clock is wrong goes by that of the server, as it was when the page was made.
  const skew = Number(page.now) - Date.now();
  const now = () => Date.now() + skew;

  function money(amount, currency) {
    const digits = exponents[currency] ?? 2;
    const shape = { style: "currency", currency, minimumFractionDigits: digits, maximumFractionDigits: digits, trailingZeroDisplay: "stripIfInteger" };
    return new Intl.NumberFormat(undefined, shape).format(amount / 10 ** digits);
  }

  function since(milliseconds) {
    const seconds = Math.max(0, Math.floor(milliseconds / 1000)), minutes = Math.floor(seconds / 60);
    if (minutes < 1) return seconds + " s";
    return minutes < 60 ? minutes + " min" : Math.floor(minutes / 60) + " h " + (minutes % 60) + " min";
  }

  function read(name) {
    try { return JSON.parse(localStorage.getItem(name)) || {}; } catch { return {}; }
  }

  // What is told

  function take(told, isNews) {
    if (!told.type.startsWith("payment.")) return;
    const known = payments.get(told.payment);
    if (known && known.id >= told.id) return;
    const ended = told.state in STAYS, moment = Date.parse(told.at);
    const same = known && known.state === told.state;
    payments.set(told.payment, { ...told, ended: ended ? (same ? known.ended : moment) : 0, place: same ? known.place : told.id });
    if (ended) dropCode(told.payment);
    if (isNews && !same) say(told);
  }

  function say(told) {
    const name = "Order " + numberOf(told);
    if (told.state === "succeeded") at("said").textContent = name + " is paid";
    else if (!isKitchen) at("said").textContent = name + ": " + stateOf(told) + ", " + money(told.amount, told.currency);
  }

  const numberOf = (told) => (told.order ? told.order.id : told.payment.slice(-5).toUpperCase());

  function stateOf(told) {
    if (told.type === "payment.underpaid") return "Paid in part";
    const code = codes.get(told.payment);
    if (!(told.state in STAYS) && code && code.isOver) return "The code has run out";
    return WORDS[told.state] || (told.state === "requires_action" ? "Waiting" : "Being processed");
  }

  const moodOf = (told) => (told.state === "succeeded" ? "good" : told.state in STAYS ? "bad" : "");

  // The stream

  async function follow() {
    const mine = token;
    while (mine && token === mine) {
      const stop = new AbortController();
      going = { stop, at: Date.now() };
      current = "";
      try {
        const headers = { Authorization: "Bearer " + mine, Accept: "text/event-stream" };
        if (lastId) headers["Last-Event-ID"] = lastId;
        const answer = await fetch(page.stream, { headers, cache: "no-store", signal: stop.signal });
        if (token !== mine) return;
        if (answer.status === 401) return leave(await detailOf(answer));
        if (!answer.ok) {
          pause = Math.max(pause, 1000 * Number(answer.headers.get("Retry-After") || 0));
          throw new Error("refused");
        }
        await listen(answer.body, mine);
        pause = 1000;
      } catch {
        pause = Math.min(pause * 2, Math.max(LONGEST_PAUSE, pause));
      }
      stop.abort();
      if (token !== mine) return;
      show();
      await new Promise((go) => { going = { go, at: Date.now() }; setTimeout(go, pause * (0.75 + Math.random() / 2)); });
      pause = Math.min(pause, LONGEST_PAUSE);
    }
  }

  async function detailOf(answer) {
    try { return (await answer.json()).detail; } catch { return "The token is not accepted."; }
  }

  async function listen(body, mine) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "", event = { name: "message", data: [], id: null };
    for (;;) {
      const { value, done: isOver } = await reader.read();
      if (isOver || token !== mine) return;
      heard = going.at = Date.now();
      pause = 1000;
      current = "live";
      const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) {
        if (line === "") { dispatch(event); event = { name: "message", data: [], id: null }; continue; }
        const cut = line.indexOf(":"), field = cut < 0 ? line : line.slice(0, cut);
        const text = cut < 0 ? "" : line.slice(cut + 1).replace(/^ /, "");
        if (field === "event") event.name = text;
        else if (field === "data") event.data.push(text);
        else if (field === "id") event.id = text;
      }
      show();
    }
  }

  function dispatch(event) {
    if (!event.data.length) return;
    const told = JSON.parse(event.data.join("\n"));
    if (event.name === "closed") return leave(told.detail || told.reason);
    if (event.id !== null) lastId = event.id;
    if (event.name === "order") take(told, true);
    if (event.name === "snapshot") {
      isTold = true;
      payments.clear();
      told.payments.forEach((one) => take(one, false));
    }
  }

  setInterval(() => {
    if (going && going.stop && Date.now() - going.at > HUNG) going.stop.abort();
    show();
  }, 1000);
  const hurry = () => { if (going && going.go) going.go(); else if (going && Date.now() - going.at > STALE) going.stop.abort(); };
  addEventListener("online", hurry);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) hurry(); });

  // The code of what waits

  function dropCode(payment) {
    const code = codes.get(payment);
    if (code && code.url) URL.revokeObjectURL(code.url);
    codes.delete(payment);
  }

  async function askForCode(told) {
    const code = codes.get(told.payment) || { url: "", asked: 0, isOver: false, about: 0 };
    codes.set(told.payment, code);
    const again = code.url ? CODE_CHECKED : code.about === told.id ? CODE_CHECKED : CODE_AGAIN;
    if (code.isOver || Date.now() - code.asked < again) return;
    code.asked = Date.now();
    try {
      const headers = { Authorization: "Bearer " + token, Accept: "image/svg+xml" };
      const answer = await fetch("/v1/payments/" + told.payment + "/qr.svg", { headers, cache: "no-store" });
      if (codes.get(told.payment) !== code) return;
      if (answer.ok) {
        const url = URL.createObjectURL(await answer.blob());
        if (code.url) URL.revokeObjectURL(code.url);
        code.url = url;
      } else if (answer.status === 404 || answer.status === 410) {
        code.url = "";
        code.about = told.id;
        code.isOver = answer.status === 410;
      }
    } catch { return; }
    show();
  }

  // What is shown

  function made(kind, name, parent) {
    const node = document.createElement(kind);
    node.className = name;
    if (parent) parent.append(node);
    return node;
  }

  function put(node, text) { if (node.textContent !== text) node.textContent = text; }

  function show() {
    const silent = Date.now() - heard, isStale = Boolean(token) && silent > STALE;
    at("stale").hidden = !isStale;
    put(at("silence"), since(silent));
    const state = !token ? "off" : isStale ? "off" : current === "live" && going && going.stop ? "live" : "waiting";
    at("line").dataset.state = state;
    put(at("line"), { live: "Live", waiting: "Connecting", off: token ? "Behind" : "Not connected" }[state]);
    at("enter").hidden = Boolean(token);
    board.hidden = !token;
    at("undo").hidden = !undone || !token;
    if (!token) { put(at("count"), ""); return; }
    if (!isTold) return idle("Asking what there is.");
    if (isKitchen) showKitchen(); else showCashier();
  }

  function arrange(parent, nodes) {
    nodes.forEach((node, place) => { if (parent.children[place] !== node) parent.insertBefore(node, parent.children[place] || null); });
    while (parent.children.length > nodes.length) parent.lastElementChild.remove();
  }

  function idle(text) {
    cards.clear();
    if (!board.firstElementChild || board.firstElementChild.className !== "idle") arrange(board, [made("p", "idle")]);
    put(board.firstElementChild, text);
  }

  function cashierCard(told) {
    let card = cards.get(told.payment);
    if (!card) {
      const node = made("article", "");
      const frame = made("div", "frame", node), words = made("div", "told", node);
      card = { node, frame, number: made("p", "number", words), amount: made("p", "amount", words), state: made("p", "state", words), shown: null };
      cards.set(told.payment, card);
    }
    put(card.number, numberOf(told));
    put(card.amount, money(told.amount, told.currency));
    put(card.state, stateOf(told));
    card.node.dataset.mood = moodOf(told);
    card.node.dataset.state = told.state;
    card.node.classList.toggle("fresh", told.state === "succeeded" && now() - told.ended < FRESH);
    frameOf(card, told);
    return card.node;
  }

  function frameOf(card, told) {
    const code = codes.get(told.payment), url = (code && code.url) || "";
    const wanted = told.state === "succeeded" ? "\u2713" : told.state in STAYS ? "\u2715" : url || "No code to scan";
    if (card.shown === wanted) return;
    card.shown = wanted;
    card.frame.classList.toggle("none", !url && !(told.state in STAYS));
    card.frame.replaceChildren(wanted);
    if (!url || told.state in STAYS) return;
    const image = document.createElement("img");
    image.className = "code";
    image.alt = "QR code to pay order " + numberOf(told);
    image.src = url;
    card.frame.replaceChildren(image);
  }

  function showCashier() {
    const all = [...payments.values()].sort((one, other) => (one.payment < other.payment ? 1 : -1));
    const shown = all.filter((told) => !told.ended || now() - told.ended < STAYS[told.state]);
    const waiting = shown.filter((told) => !told.ended);
    waiting.forEach(askForCode);
    put(at("count"), waiting.length ? waiting.length + (waiting.length === 1 ? " payment waits" : " payments wait") : "");
    if (!shown.length) return idle("No payment is waiting.");
    const stays = shown.find((told) => told.payment === page.lead && (!told.ended || now() - told.ended < FRESH));
    const newest = waiting[0];
    const lead = stays && (stays.ended || !newest || stays === newest) ? stays : newest || shown[0];
    page.lead = lead.payment;
    const others = shown.filter((told) => told !== lead);
    const first = cashierCard(lead);
    first.classList.add("lead");
    if (!others.length) { arrange(board, [first]); prune(shown); return; }
    const side = board.querySelector(".side") || made("div", "side");
    const nodes = others.map(cashierCard);
    nodes.forEach((node) => node.classList.remove("lead"));
    arrange(board, [first, side]);
    arrange(side, nodes);
    prune(shown);
  }

  function prune(shown) {
    const left = new Set(shown.map((told) => told.payment));
    for (const payment of [...cards.keys()]) if (!left.has(payment)) { cards.delete(payment); dropCode(payment); }
  }

  function kitchenCard(told) {
    let card = cards.get(told.payment);
    if (!card) {
      const node = made("li", ""), sheet = made("article", "", node);
      card = { node, sheet, number: made("p", "number", sheet), since: made("p", "since", sheet) };
      card.ago = made("span", "", card.since);
      put(made("small", "", card.since), " since paid");
      const button = made("button", "done", sheet);
      button.type = "button";
      put(button, "Done");
      button.setAttribute("aria-label", "Order " + numberOf(told) + " is done");
      button.addEventListener("click", () => finish(told.payment));
      cards.set(told.payment, card);
    }
    const age = now() - told.ended;
    put(card.number, numberOf(told));
    put(card.ago, since(age));
    card.sheet.dataset.mood = age > LATE ? "late" : age > SLOW ? "slow" : "";
    card.node.classList.toggle("fresh", age < FRESH);
    return card.node;
  }

  function showKitchen() {
    const paid = [...payments.values()].filter((told) => told.state === "succeeded" && !(told.payment in done));
    paid.sort((one, other) => one.place - other.place);
    put(at("count"), paid.length ? paid.length + (paid.length === 1 ? " order to make" : " orders to make") : "");
    if (!paid.length) return idle("Nothing is waiting to be made.");
    let list = board.querySelector("ol");
    if (!list) { list = made("ol", ""); arrange(board, [list]); }
    arrange(list, paid.map(kitchenCard));
    const left = new Set(paid.map((told) => told.payment));
    for (const payment of [...cards.keys()]) if (!left.has(payment)) cards.delete(payment);
  }

  function finish(payment) {
    done[payment] = Date.now();
    undone = payment;
    keepDone();
  }

  function keepDone() {
    done = Object.fromEntries(Object.entries(done).filter(([, moment]) => Date.now() - moment < FORGOTTEN));
    localStorage.setItem(finished, JSON.stringify(done));
    show();
  }

  at("undo").addEventListener("click", () => { delete done[undone]; undone = ""; keepDone(); });

  // The token

  function begin(given) {
    leave("");
    token = given;
    sessionStorage.setItem(kept, given);
    heard = Date.now();
    at("token").value = "";
    follow();
    show();
  }

  function leave(why) {
    if (going && going.stop) going.stop.abort();
    if (going && going.go) going.go();
    token = lastId = current = "";
    isTold = false;
    pause = 1000;
    sessionStorage.removeItem(kept);
    payments.clear();
    [...codes.keys()].forEach(dropCode);
    cards.clear();
    board.replaceChildren();
    put(at("refused"), why);
    show();
  }

  function fromAddress() {
    const given = /^#token=(.+)$/.exec(location.hash);
    if (!given) return false;
    history.replaceState(null, "", location.pathname + location.search);
    begin(decodeURIComponent(given[1]).trim());
    return true;
  }

  at("enter").addEventListener("submit", (event) => {
    event.preventDefault();
    const given = at("token").value.trim();
    if (given.startsWith("display_")) begin(given);
    else put(at("refused"), "That is no display token: those begin with display_. An API key belongs on no screen.");
  });
  addEventListener("hashchange", fromAddress);

  // Light and dark

  const theme = (dark) => { document.documentElement.dataset.theme = dark ? "dark" : "light"; };
  const asked = localStorage.getItem("display:theme");
  theme(asked ? asked === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  at("theme").addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme !== "dark";
    localStorage.setItem("display:theme", dark ? "dark" : "light");
    theme(dark);
  });

  if (!fromAddress()) {
    const stored = sessionStorage.getItem(kept);
    if (stored) begin(stored); else show();
  }
})();

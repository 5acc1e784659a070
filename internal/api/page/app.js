// The docs page: it reads openapi.json and writes it out for people. Everything is made with DOM calls, so that no text of the document becomes markup.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);

  // el makes an element. Attributes that start with "on" are listeners.
  function el(name, attributes, ...children) {
    const e = document.createElement(name);
    for (const [k, v] of Object.entries(attributes || {})) {
      if (v === undefined || v === null || v === false) continue;
      if (k.startsWith("on")) e.addEventListener(k.slice(2), v);
      else e.setAttribute(k, v === true ? "" : v);
    }
    e.append(...children.flat().filter((c) => c !== undefined && c !== null && c !== false));
    return e;
  }

  // prose writes paragraphs; `this` becomes code.
  function inline(text) {
    return String(text || "").split("`").map((part, i) => (i % 2 ? el("code", {}, part) : part));
  }
  function prose(text) {
    return String(text || "").split("\n\n").filter(Boolean).map((p) => el("p", {}, inline(p)));
  }

  let spec;
  function resolve(o) {
    let at = o;
    for (let i = 0; at && at.$ref && i < 8; i++) {
      at = at.$ref.slice(2).split("/").reduce((node, key) => node && node[key.replace(/~1/g, "/").replace(/~0/g, "~")], spec);
    }
    return at || {};
  }
  const nameOf = (ref) => ref.split("/").pop();
  const pretty = (v) => (typeof v === "string" ? v : JSON.stringify(v, null, 2));

  // type says in a few words what a schema takes, with links to named schemas.
  function type(s) {
    if (!s) return ["anything"];
    if (s.$ref) return [el("a", { href: "#schema-" + nameOf(s.$ref) }, nameOf(s.$ref))];
    for (const key of ["anyOf", "oneOf"]) {
      if (s[key] && !s.properties) return s[key].flatMap((one, i) => (i ? [" or ", ...type(Object.assign({ type: s.type }, one))] : type(Object.assign({ type: s.type }, one))));
    }
    const kinds = [].concat(s.type || "anything");
    if (kinds[0] === "array") return ["array of ", ...type(s.items)];
    if (s.enum) return [s.enum.map((v) => JSON.stringify(v)).join(" | "), kinds.includes("null") ? " | null" : ""];
    if (kinds[0] === "object" && s.additionalProperties && s.additionalProperties !== true) return ["object of ", ...type(s.additionalProperties)];
    return [kinds.join(" or ") + (s.format && !/^int|double/.test(s.format) ? " (" + s.format + ")" : "")];
  }

  // bounds lists what else a schema demands.
  function bounds(s) {
    const out = [];
    const range = (least, most, unit) => {
      if (least !== undefined && most !== undefined) out.push(least + " to " + most + unit);
      else if (least !== undefined) out.push("at least " + least + unit);
      else if (most !== undefined) out.push("at most " + most + unit);
    };
    range(s.minimum, s.maximum, "");
    range(s.minLength, s.maxLength, " characters");
    range(s.minItems, s.maxItems, " items");
    if (s.pattern && s.pattern.length < 60) out.push("matches " + s.pattern);
    if (s.default !== undefined) out.push("default " + JSON.stringify(s.default));
    return out.join("; ");
  }

  function row(name, required, s, text, extra) {
    const limits = bounds(s || {});
    return el("tr", {},
      el("td", {}, el("code", {}, name), extra ? el("div", { class: "soft" }, extra) : "", required ? el("div", { class: "must" }, "required") : ""),
      el("td", {}, el("div", { class: "type" }, type(s)), inline(text || (s && s.description) || ""), limits ? el("div", { class: "soft" }, limits) : ""));
  }

  function table(first, rows, caption) {
    return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
      el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, first), el("th", { scope: "col" }, "Meaning"))), el("tbody", {}, rows)));
  }

  // fields is the table of an object's properties, or a line for anything else.
  function fields(s, caption) {
    const at = resolve(s);
    if (!at.properties) return el("p", {}, type(s), " ", inline(at.description && !s.$ref ? at.description : ""));
    const must = at.required || [];
    const names = Object.keys(at.properties).sort((a, b) => must.includes(b) - must.includes(a));
    const rows = names.map((n) => row(n, must.includes(n), at.properties[n]));
    const notes = [];
    if (at.oneOf) notes.push(el("p", { class: "soft" }, "Exactly one of " + at.oneOf.map((o) => (o.required || []).join(" and ")).join(", ") + "."));
    if (at.additionalProperties === false) notes.push(el("p", { class: "soft" }, "Unknown fields are refused by name."));
    return el("div", {}, notes, table("Field", rows, caption));
  }

  function copyable(text, label) {
    const say = (t) => { $("live").textContent = t; };
    const button = el("button", {
      type: "button", "aria-label": "Copy " + label,
      onclick: () => navigator.clipboard.writeText(text()).then(() => { button.textContent = "Copied"; say(label + " copied"); setTimeout(() => { button.textContent = "Copy"; }, 1500); },
        () => say("The browser does not allow copying")),
    }, "Copy");
    return button;
  }

  const quote = (s) => "'" + s.replace(/'/g, "'\\''") + "'";

  function exampleOf(content) {
    const list = Object.entries((content && content.examples) || {});
    return list.map(([name, e]) => ({ name: e.summary ? name + ": " + e.summary : name, value: resolve(e).value }));
  }

  function curl(op, path, body) {
    const parts = ["curl" + (op.method === "GET" ? "" : " -X " + op.method) + " " + quote(location.origin + path)];
    if (!op.open) parts.push('-H "Authorization: Bearer $PROMPTD_API_KEY"');
    if (body !== undefined) parts.push("-H 'Content-Type: application/json'", "-d " + quote(body));
    return parts.join(" \\\n  ");
  }

  // samplePath fills a path's parameters with their examples.
  function samplePath(op) {
    const path = op.path.replace(/\{(\w+)\}/g, (_, name) => {
      const p = op.parameters.find((q) => q.name === name);
      const s = (p && p.schema) || {};
      return encodeURIComponent((s.examples && s.examples[0]) || (s.enum && s.enum[0]) || name);
    });
    return path + (op.id === "dropCache" ? "?all=true" : "");
  }

  function operation(op) {
    const body = op.requestBody && op.requestBody.content["application/json"];
    const examples = exampleOf(body);
    const command = el("pre", { tabindex: "0" }, curl(op, samplePath(op), examples[0] && pretty(examples[0].value)));
    const out = el("article", { id: "op-" + op.id, "aria-labelledby": "h-" + op.id },
      el("h3", { id: "h-" + op.id }, el("span", { class: "badge " + op.method.toLowerCase() }, op.method), el("span", { class: "path" }, op.path)),
      el("p", {}, el("strong", {}, op.summary)), prose(op.description),
      el("p", { class: "soft" }, op.open ? "Needs no key." : op.scope ? ["Needs a key with the scope ", el("code", {}, op.scope), "."] : "Needs a key."));
    if (op.parameters.length) {
      const rows = op.parameters.flatMap((p) => (p.schema && p.schema.type === "object"
        ? Object.entries(p.schema.properties).map(([n, s]) => row(n, false, s, s.description, p.in))
        : [row(p.name, p.required, p.schema, p.description, p.in)]));
      out.append(el("h4", {}, "Parameters"), table("Name", rows, "Parameters of " + op.summary));
    }
    if (body) out.append(el("h4", {}, "Body", op.requestBody.required ? "" : " (optional)"), fields(body.schema, "Body of " + op.summary));
    out.append(el("h4", { class: "head" }, "Example", copyable(() => command.textContent, "the command")));
    if (examples.length > 1) {
      out.append(el("div", { class: "row" }, el("label", { for: "pick-" + op.id }, "Body"), el("select", {
        id: "pick-" + op.id, onchange: (e) => { command.textContent = curl(op, samplePath(op), pretty(examples[e.target.value].value)); },
      }, examples.map((e, i) => el("option", { value: i }, e.name)))));
    }
    out.append(command, el("h4", {}, "Answers"), responses(op));
    if (op.method === "GET" || op.id === "analyze") out.append(tryIt(op, examples));
    return out;
  }

  function responses(op) {
    return el("div", {}, Object.keys(op.responses).sort().map((status) => {
      const r = resolve(op.responses[status]);
      const inside = Object.entries(r.content || {}).map(([media, c]) => [
        el("p", { class: "soft" }, media),
        c.schema ? fields(c.schema, status + " " + media + " of " + op.summary) : "",
        c["x-events"] ? el("ul", {}, Object.entries(c["x-events"]).map(([n, s]) => el("li", {}, el("code", {}, n), ": ", type(s)))) : "",
        exampleOf(c).map((e) => el("pre", { tabindex: "0" }, pretty(e.value))),
      ]);
      const headers = Object.keys(r.headers || {});
      return el("details", { open: status < "300" && op.id === "analyze" && status === "200" },
        el("summary", {}, el("code", {}, status), " ", inline(r.description)),
        headers.length ? table("Header", headers.map((n) => row(n, false, resolve(r.headers[n]).schema, resolve(r.headers[n]).description)), "Headers of " + status) : "", inside);
    }));
  }

  // tryIt is a form that sends the operation with the key of the page.
  function tryIt(op, examples) {
    const inputs = {};
    const grid = el("div", { class: "fields" });
    for (const p of op.parameters.filter((q) => q.in === "path" || q.in === "query")) {
      const id = "try-" + op.id + "-" + p.name;
      inputs[p.name] = el("input", { id, type: "text", required: p.required, value: p.in === "path" && p.schema.enum ? p.schema.enum[0] : null, spellcheck: "false", autocomplete: "off" });
      grid.append(el("label", { for: id }, p.name), inputs[p.name]);
    }
    const area = op.id === "analyze" ? el("textarea", { id: "try-body", spellcheck: "false", rows: "12" }) : null;
    const pick = area && el("select", { id: "try-pick", onchange: () => { area.value = pretty(examples[pick.value].value); } }, examples.map((e, i) => el("option", { value: i }, e.name)));
    const stream = area && el("input", { id: "try-stream", type: "checkbox" });
    if (area) area.value = pretty(examples[0].value);
    const state = el("p", { class: "soft", role: "status" });
    const result = el("pre", { tabindex: "0", hidden: true, "aria-label": "The answer" });
    const send = el("button", { type: "submit" }, "Send");
    let running = null;
    const stop = el("button", { type: "button", disabled: true, onclick: () => running && running.abort() }, "Stop");

    async function submit(event) {
      event.preventDefault();
      let path = op.path;
      const query = new URLSearchParams();
      for (const p of op.parameters) {
        const value = inputs[p.name] && inputs[p.name].value;
        if (p.in === "path") path = path.replace("{" + p.name + "}", encodeURIComponent(value));
        else if (p.in === "query" && value) query.set(p.name, value);
      }
      const init = { method: op.method, headers: {}, cache: "no-store", credentials: "omit" };
      if (!op.open && $("key").value.trim()) init.headers.Authorization = "Bearer " + $("key").value.trim();
      if (area) {
        init.headers["Content-Type"] = "application/json";
        init.body = area.value;
        if (stream.checked) {
          try {
            init.body = JSON.stringify(Object.assign(JSON.parse(area.value), { stream: true }));
          } catch (e) {
            state.textContent = "The body is not JSON: " + e.message;
            return;
          }
        }
      }
      running = new AbortController();
      init.signal = running.signal;
      send.disabled = true;
      stop.disabled = false;
      state.textContent = "Waiting …";
      result.hidden = false;
      result.textContent = "";
      const begun = performance.now();
      try {
        const res = await fetch(path.slice(1) + (query.size ? "?" + query : ""), init);
        state.textContent = res.status + " " + res.statusText;
        await show(res, result);
        state.textContent += ", " + Math.round(performance.now() - begun) + " ms";
      } catch (e) {
        state.textContent = e.name === "AbortError" ? "Stopped." : "No answer: " + e.message;
      }
      running = null;
      send.disabled = false;
      stop.disabled = true;
    }

    return el("details", {}, el("summary", {}, "Try it"), el("form", { onsubmit: submit, "aria-label": "Try " + op.summary },
      Object.keys(inputs).length ? grid : "",
      area ? [el("div", { class: "row" }, el("label", { for: "try-pick" }, "Start from"), pick, stream, el("label", { for: "try-stream" }, "stream")), el("label", { for: "try-body" }, "Body"), area] : "",
      el("div", { class: "row" }, send, stop), state, result));
  }

  // show writes an answer as it comes; JSON is set in order at the end.
  async function show(res, into) {
    const reader = res.body.getReader();
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
      into.textContent = text.slice(0, 200000);
    }
    if (/json/.test(res.headers.get("Content-Type") || "")) {
      // Indenting by hand keeps the digits of large numbers, which JSON.parse would round.
      into.textContent = indent(text.trim()).slice(0, 200000);
    }
  }

  function indent(text) {
    let out = "";
    let depth = 0;
    const line = () => "\n" + "  ".repeat(depth);
    for (const token of text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g) || []) {
      if (token === "{" || token === "[") { depth++; out += token + line(); } else if (token === "}" || token === "]") {
        depth--;
        out = /[{[]\s*$/.test(out) ? out.trimEnd() + token : out + line() + token;
      } else if (token === ",") out += "," + line();
      else out += token === ":" ? ": " : token;
    }
    return out;
  }

  function operations() {
    const list = [];
    for (const [path, item] of Object.entries(spec.paths)) {
      for (const method of ["get", "post", "put", "delete"]) {
        const o = item[method];
        if (!o) continue;
        list.push({
          id: o.operationId, method: method.toUpperCase(), path, tag: o.tags[0], summary: o.summary, description: o.description, scope: o["x-scope"], requestBody: o.requestBody,
          responses: o.responses, parameters: (o.parameters || []).map(resolve), open: o.security && o.security.length === 0,
        });
      }
    }
    return list;
  }

  function render() {
    const main = $("content");
    const nav = $("nav");
    const link = (href, ...text) => el("li", {}, el("a", { href }, ...text));
    main.replaceChildren(el("h2", { id: "about" }, spec.info.title + " API"), ...prose(spec.info.description),
      el("p", {}, "Send a key as ", el("code", {}, "Authorization: Bearer <key>"), ". The whole document: ", el("a", { href: "openapi.json" }, "openapi.json"), "."));
    const all = operations();
    for (const tag of spec.tags) {
      const mine = all.filter((o) => o.tag === tag.name);
      nav.append(el("h2", {}, tag.name), el("ul", {}, mine.map((o) => link("#op-" + o.id, el("span", { class: "badge " + o.method.toLowerCase() }, o.method), el("span", {}, o.summary)))));
      main.append(el("h2", { id: "tag-" + tag.name }, tag.name), ...prose(tag.description), ...mine.map(operation));
    }
    nav.append(el("h2", {}, "reference"), el("ul", {}, link("#codes", "Error codes"), link("#schemas", "Schemas")));
    main.append(el("h2", { id: "codes" }, "Error codes"), el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Error codes" }, el("table", {},
      el("thead", {}, el("tr", {}, ["Code", "Status", "What to do"].map((t) => el("th", { scope: "col" }, t)))),
      el("tbody", {}, (spec["x-codes"] || []).map((c) => el("tr", { id: c.code.toLowerCase() }, el("td", {}, el("code", {}, c.code)), el("td", {}, String(c.status)), el("td", {}, c.remediation)))))));
    main.append(el("h2", { id: "schemas" }, "Schemas"));
    for (const name of Object.keys(spec.components.schemas).sort()) {
      main.append(el("article", { id: "schema-" + name }, el("h3", {}, name), fields({ $ref: "#/components/schemas/" + name }, "Schema " + name)));
    }
    here();
  }

  // here marks the place in the sidebar and goes there: the page was empty when the browser first tried.
  function here() {
    const at = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (const a of document.querySelectorAll("nav a")) {
      if (a.getAttribute("href") === location.hash) a.setAttribute("aria-current", "true");
      else a.removeAttribute("aria-current");
    }
    if (at) at.scrollIntoView();
  }

  $("key-form").addEventListener("submit", (e) => e.preventDefault());
  window.addEventListener("hashchange", here);
  fetch("openapi.json").then((r) => {
    if (!r.ok) throw new Error("status " + r.status);
    return r.json();
  }).then((d) => { spec = d; render(); }).catch((e) => { $("content").replaceChildren(el("p", { role: "alert" }, "openapi.json could not be read: " + e.message)); });
})();

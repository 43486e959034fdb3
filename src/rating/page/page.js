// Keys, drafts and calm failures of the page. Without it, the page is a plain form that works.
"use strict";
(() => {
  const form = document.querySelector("form[data-draft]");
  if (!form) return;
  const problem = form.querySelector(".problem");
  const button = form.querySelector("button[type=submit]");
  const groups = [...form.querySelectorAll("fieldset")];
  const draftKey = "draft " + form.dataset.draft;

  // What is chosen or written and not submitted yet survives a reload.
  const fields = () => [...form.elements].filter((e) => e.name && e.type !== "hidden" && e.type !== "submit");
  const keepDraft = () => {
    const draft = {};
    for (const field of fields()) {
      if (field.type !== "radio") draft[field.name] = field.value;
      else if (field.checked) draft[field.name] = field.value;
    }
    sessionStorage.setItem(draftKey, JSON.stringify(draft));
  };
  try {
    const draft = JSON.parse(sessionStorage.getItem(draftKey) || "{}");
    for (const field of fields()) {
      if (!(field.name in draft)) continue;
      if (field.type === "radio") field.checked = field.value === draft[field.name];
      else field.value = draft[field.name];
    }
  } catch {
    sessionStorage.removeItem(draftKey);
  }
  form.addEventListener("input", () => {
    keepDraft();
    problem.textContent = "";
  });

  const isDone = (group) => group.querySelector("input:checked") !== null;
  const goTo = (element) => {
    const target = element.matches("fieldset")
      ? element.querySelector("input:checked") || element.querySelector("input, textarea")
      : element;
    target.focus({ preventScroll: true });
    element.scrollIntoView({ block: "nearest" });
  };
  const current = () => document.activeElement.closest("fieldset") || groups.find((g) => !isDone(g)) || groups[0];

  const submit = async () => {
    if (button.getAttribute("aria-busy") === "true") return;
    const missing = groups.filter((g) => !isDone(g));
    for (const group of groups) group.classList.toggle("missing", missing.includes(group));
    if (missing.length > 0) {
      problem.textContent = missing.length === 1 ? "One question is not answered yet." : `${missing.length} questions are not answered yet.`;
      goTo(missing[0]);
      return;
    }
    if (!form.reportValidity()) return;
    button.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      if (response.ok) {
        sessionStorage.removeItem(draftKey);
        location.assign(response.url);
        return;
      }
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const reason = page.querySelector(".problem");
      problem.textContent = reason ? reason.textContent : "The server refused this. Reload the page and try again.";
    } catch {
      problem.textContent = "The server does not answer. Nothing is lost: what you chose stands here; submit again when it is back.";
    }
    button.removeAttribute("aria-busy");
    problem.scrollIntoView({ block: "nearest" });
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  window.addEventListener("pageshow", () => button.removeAttribute("aria-busy"));

  document.addEventListener("keydown", (event) => {
    const isText = event.target.matches("textarea, input[type=text]");
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey || (!isText && !event.target.matches("a, button")))) {
      event.preventDefault();
      submit();
      return;
    }
    if (isText || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "b") {
      const back = form.querySelector("a[data-back]");
      if (back) location.assign(back.href);
      return;
    }
    const group = current();
    const option = group && group.querySelectorAll("input[type=radio]")[Number(event.key) - 1];
    if (!/^[1-9]$/.test(event.key) || !option) return;
    event.preventDefault();
    option.checked = true;
    option.dispatchEvent(new Event("input", { bubbles: true }));
    group.classList.remove("missing");
    const next = groups[groups.indexOf(group) + 1];
    goTo(next || button);
  });
  const first = groups.find((g) => !isDone(g)) || groups[0];
  if (first && form.dataset.focus !== "no") {
    first.querySelector("input:checked, input").focus({ preventScroll: true });
  }
})();

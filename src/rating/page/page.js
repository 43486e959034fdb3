// Keys, drafts and calm failures of the pages. Without it, they are plain forms that work.
"use strict";

// A form that is sent in the background: where the server does not answer, nothing typed is lost.
function wire(form) {
  const problem = form.querySelector(".problem");
  const button = form.querySelector("button[type=submit]");
  const groups = [...form.querySelectorAll("fieldset")];
  const draftKey = "draft " + form.dataset.draft;
  const isDone = (group) => group.querySelector("input:checked") !== null;
  const goTo = (element) => {
    const target = element.querySelector("input:checked, textarea") || element.querySelector("input") || element;
    target.focus({ preventScroll: true });
    element.scrollIntoView({ block: "nearest" });
  };

  // What is chosen or written and not submitted yet survives a reload.
  const fields = [...form.elements].filter((field) => field.name && field.type !== "hidden");
  const keepDraft = () => {
    const draft = {};
    for (const field of fields) {
      if (field.type !== "radio" || field.checked) draft[field.name] = field.value;
    }
    sessionStorage.setItem(draftKey, JSON.stringify(draft));
  };
  const draft = JSON.parse(sessionStorage.getItem(draftKey) || "{}");
  for (const field of fields) {
    if (!(field.name in draft)) continue;
    if (field.type === "radio") field.checked = field.value === draft[field.name];
    else field.value = draft[field.name];
  }
  form.addEventListener("input", () => {
    keepDraft();
    problem.textContent = "";
  });

  const submit = async () => {
    if (button.getAttribute("aria-busy") === "true") return;
    const missing = groups.filter((group) => !isDone(group));
    for (const group of groups) group.classList.toggle("missing", missing.includes(group));
    if (missing.length > 0) {
      problem.textContent =
        missing.length === 1 ? "One question is not answered yet." : `${missing.length} questions are not answered yet.`;
      goTo(missing[0]);
      return;
    }
    if (!form.reportValidity()) return;
    button.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(form.getAttribute("action"), { method: "POST", body: new URLSearchParams(new FormData(form)) });
      if (response.ok) {
        sessionStorage.removeItem(draftKey);
        location.assign(response.url);
        return;
      }
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const reason = page.querySelector(".problem");
      problem.textContent = reason ? reason.textContent : "The server refused this. Load the page again and try again.";
    } catch {
      problem.textContent =
        "The server does not answer. Nothing is lost: what you chose stands here; submit again when it is back.";
    }
    button.removeAttribute("aria-busy");
    problem.scrollIntoView({ block: "nearest" });
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  window.addEventListener("pageshow", () => button.removeAttribute("aria-busy"));

  // The option with this number, of the group that has the focus or else of the first that waits.
  const choose = (number) => {
    const group = document.activeElement.closest("fieldset") || groups.find((g) => !isDone(g)) || groups[0];
    const option = group && group.querySelectorAll("input[type=radio]")[number - 1];
    if (!option) return;
    option.checked = true;
    option.dispatchEvent(new Event("input", { bubbles: true }));
    group.classList.remove("missing");
    goTo(groups[groups.indexOf(group) + 1] || button);
  };

  const first = groups.find((group) => !isDone(group)) || groups[0];
  if (first && form.dataset.focus !== "no") {
    first.querySelector("input:checked, input").focus({ preventScroll: true });
  }
  return { form, submit, choose };
}

const wired = [...document.querySelectorAll("form[data-draft]")].map(wire);

document.addEventListener("keydown", (event) => {
  const here = wired.find(({ form }) => form.contains(event.target)) || wired[0];
  if (!here) return;
  const isText = event.target.matches("textarea, input[type=text]");
  const isControl = event.ctrlKey || event.metaKey;
  if (event.key === "Enter" && (isControl || (!isText && !event.target.matches("a, button")))) {
    event.preventDefault();
    here.submit();
  } else if (isText || isControl || event.altKey) {
    return;
  } else if (/^[1-9]$/.test(event.key)) {
    event.preventDefault();
    here.choose(Number(event.key));
  } else if (event.key === "b") {
    const back = here.form.querySelector("a[data-back]");
    if (back) location.assign(back.href);
  }
});

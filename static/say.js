// A quiet word in the corner of a page, that screen readers say too; gone after a moment.

function place() {
  const found = document.getElementById("said");
  if (found) return found;
  const made = document.createElement("p");
  made.id = "said";
  made.className = "said-mark";
  made.setAttribute("role", "status");
  document.body.append(made);
  return made;
}

export function say(text) {
  const here = place();
  here.textContent = text;
  here.classList.add("shown");
  clearTimeout(say.timer);
  say.timer = setTimeout(() => {
    here.classList.remove("shown");
    here.textContent = "";
  }, 2500);
}

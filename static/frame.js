// What every page shares: the find box's key, the colour switch, the reader's zone. Cookies, because the server
// draws the page: colours and times are right at first paint.

const YEAR = 31536000;
const remember = (name, value) => {
  document.cookie = `${name}=${value}; path=/; max-age=${value ? YEAR : 0}; samesite=lax`;
};
const remembered = (name) =>
  document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";

function rememberZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
  if (zone && remembered("tz") !== zone) remember("tz", zone);
}

function switchColours(button) {
  const order = ["system", "light", "dark"];
  const root = document.documentElement;
  const show = (theme) => {
    root.dataset.theme = theme;
    button.title = `Colours: ${theme}`;
    button.setAttribute("aria-label", button.title);
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    const next = order[(order.indexOf(root.dataset.theme) + 1) % order.length];
    remember("theme", next === "system" ? "" : next);
    show(next);
  });
}

function switchClock(button) {
  const utc = remembered("clock") === "utc";
  button.hidden = !utc && ["", "UTC"].includes(remembered("tz"));
  button.textContent = utc ? "show local time" : "show UTC";
  button.addEventListener("click", () => {
    remember("clock", utc ? "" : "utc");
    location.reload();
  });
}

const typing = (target) => target.closest?.("input, textarea, select, [contenteditable]");

function focusFind(event) {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const box = document.getElementById("find");
  event.preventDefault();
  box.focus();
  box.select();
}

rememberZone();
document.querySelectorAll("[data-theme-switch]").forEach(switchColours);
document.querySelectorAll("[data-clock-switch]").forEach(switchClock);
document.addEventListener("keydown", focusFind);

// A filter that says nothing has no place in the address.
document.addEventListener("htmx:configRequest", (event) => {
  const parameters = event.detail.parameters;
  for (const name of Object.keys(parameters)) if (parameters[name] === "") delete parameters[name];
});

// Buttons that copy what a field holds; without scripts they are not there, and the field is selected by hand.

document.querySelectorAll("[data-copy-value]").forEach((button) => {
  const field = document.getElementById(button.dataset.copyValue);
  button.hidden = false;
  button.addEventListener("click", async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      document.execCommand("copy");
    }
    button.textContent = "Copied";
  });
});

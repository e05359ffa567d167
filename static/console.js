// Comfort only: every page works without this file.
for (const button of document.querySelectorAll("[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    button.textContent = "Copied";
  });
}

// A browser would go back to where the form was sent from, past what is wrong with it.
const errors = document.querySelector(".errors");
if (errors) {
  history.scrollRestoration = "manual";
  errors.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input, textarea, select")) return;
  event.preventDefault();
  document.getElementById("q")?.focus();
});

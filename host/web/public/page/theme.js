// Before the first paint: the theme a person chose here before, so that the page does not flash.
try {
  const chosen = localStorage.getItem("wattpact-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is off: the machine's own theme holds.
}

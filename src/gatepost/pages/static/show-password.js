// Puts a button beside each password that shows what was typed. Without it a password is dots, and works.
const eye =
  "M10 4C5.5 4 2.4 7.6 1.3 10c1.1 2.4 4.2 6 8.7 6s7.6-3.6 8.7-6C17.6 7.6 14.5 4 10 4Zm0 9a3 3 0 1 1 0-6 3 3 0 0 1 0 6Z";
const stroke = "M3 3l14 14";

function drawn(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  for (const each of path) {
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    line.setAttribute("d", each);
    svg.append(line);
  }
  return svg;
}

for (const field of document.querySelectorAll("[data-password]")) {
  const input = field.querySelector("input");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "eye";
  button.setAttribute("aria-controls", input.id);

  const show = (shown) => {
    input.type = shown ? "text" : "password";
    const label = shown ? field.dataset.hide : field.dataset.show;
    button.setAttribute("aria-label", label);
    button.title = label;
    button.replaceChildren(drawn(shown ? [eye, stroke] : [eye]));
  };
  show(false);
  button.addEventListener("click", () => show(input.type === "password"));
  // A password manager, and the browser's own history of forms, shall see a password.
  input.form.addEventListener("submit", () => show(false));

  const row = document.createElement("div");
  row.className = "with-eye";
  const focused = document.activeElement === input;
  input.replaceWith(row);
  row.append(input, button);
  if (focused) input.focus();
}

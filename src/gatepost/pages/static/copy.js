// Buttons to copy and to print what stands there. Without them it can be selected, and the browser prints it.
for (const row of document.querySelectorAll("[data-copies]")) {
  const button = (words, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "second";
    made.textContent = words;
    made.addEventListener("click", () => act(made));
    row.append(made);
  };
  const lines = [...document.getElementById(row.dataset.copies).children].map((line) => line.textContent.trim());
  const said = document.createElement("span");
  said.className = "unseen";
  said.setAttribute("role", "status");
  button(row.dataset.copy, async (made) => {
    await navigator.clipboard.writeText(lines.join("\n"));
    made.textContent = said.textContent = row.dataset.copied;
  });
  button(row.dataset.print, () => print());
  row.after(said);
}

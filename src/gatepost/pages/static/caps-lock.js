// Says under a password that Caps Lock is on.
for (const field of document.querySelectorAll("[data-password]")) {
  const input = field.querySelector("input");
  const hint = document.createElement("p");
  hint.className = "caps";
  hint.setAttribute("role", "status");
  field.append(hint);
  const look = (event) => {
    const on = event.getModifierState?.("CapsLock") ?? false;
    if (hint.textContent !== (on ? field.dataset.caps : "")) hint.textContent = on ? field.dataset.caps : "";
  };
  input.addEventListener("keydown", look);
  input.addEventListener("keyup", look);
  input.addEventListener("blur", () => (hint.textContent = ""));
}

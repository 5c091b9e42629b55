// Has the browser make a passkey, or show one, and sends it with the form. Without it these forms stay hidden.
const make = globalThis.PublicKeyCredential?.parseCreationOptionsFromJSON?.bind(PublicKeyCredential);
const ask = globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON?.bind(PublicKeyCredential);
const able = make && ask && navigator.credentials;
let waiting;

class Refused extends Error {}
class TooMany extends Error {}

// What the browser must know. The answer counts once, so that it is asked for when it is needed.
async function options(form) {
  const csrf = form.elements.csrf?.value;
  const remember = document.querySelector("[name=remember]:checked");
  const answer = await fetch(form.dataset.options, {
    method: "POST",
    ...(csrf ? { headers: { "X-CSRF-Token": csrf } } : { body: new URLSearchParams(remember ? { remember: "on" } : {}) }),
  });
  // Signed in too long ago, or not any more: the page itself leads to where that is mended.
  if (answer.status === 401) location.reload();
  if (answer.status === 429) throw new TooMany();
  if (!answer.ok) throw new Refused();
  return answer.json();
}

async function shown(form, mediation) {
  const told = await options(form);
  waiting?.abort();
  waiting = new AbortController();
  const { signal } = waiting;
  if (form.dataset.passkey === "create") return [told, await navigator.credentials.create({ publicKey: make(told), signal })];
  const { publicKey = told, ...flow } = told;
  const credential = await navigator.credentials.get({ publicKey: ask(publicKey), signal, ...(mediation ? { mediation } : {}) });
  return [flow, credential];
}

function send(form, flow, credential) {
  for (const name of ["flow", "binding"]) if (form.elements[name]) form.elements[name].value = flow[name] ?? "";
  form.elements.credential.value = JSON.stringify(credential.toJSON());
  HTMLFormElement.prototype.submit.call(form);
}

function words(form, error) {
  if (error instanceof TooMany) return form.dataset.late;
  if (error.name === "InvalidStateError") return form.dataset.known;
  return error.name === "NotAllowedError" ? form.dataset.cancelled : form.dataset.failed;
}

for (const form of able ? document.querySelectorAll("form[data-passkey]") : []) {
  form.hidden = false;
  for (const each of document.querySelectorAll("[data-with]")) each.hidden = false;
  for (const each of document.querySelectorAll("[data-without]")) each.hidden = true;
  const said = form.querySelector("[role=alert]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    said.textContent = "";
    const { name } = form.elements;
    // Asked before: a key that was made for nothing would stay on the device.
    if (name?.matches(":not([type=hidden])") && !name.value.trim()) {
      said.textContent = form.dataset.nameless;
      name.focus();
      delete form.dataset.sent;
      return;
    }
    try {
      send(form, ...(await shown(form)));
    } catch (error) {
      // Another press took its place.
      if (error.name !== "AbortError") said.textContent = words(form, error);
      delete form.dataset.sent;
    }
  });
}

// Offers passkeys where the address is typed, as browsers do with passwords. What was asked for wears out, and is asked
// for again while somebody may still look at the page.
async function offer(form) {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  for (let round = 0; round < 5; round += 1) {
    if (waiting) return;
    const renewed = setTimeout(() => waiting?.abort("renew"), 240_000);
    try {
      send(form, ...(await shown(form, "conditional")));
      return;
    } catch (error) {
      if (error !== "renew") return;
      waiting = undefined;
    } finally {
      clearTimeout(renewed);
    }
  }
}

for (const form of able ? document.querySelectorAll("form[data-conditional]") : []) offer(form);

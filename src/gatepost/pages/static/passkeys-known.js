// Tells the browser which passkeys there are, so that password managers forget those that were removed.
const list = document.querySelector("[data-passkeys]");
if (list?.dataset.handle) {
  window.PublicKeyCredential?.signalAllAcceptedCredentials?.({
    rpId: list.dataset.rp,
    userId: list.dataset.handle,
    allAcceptedCredentialIds: list.dataset.passkeys.split(" ").filter(Boolean),
  })?.catch(() => {});
}

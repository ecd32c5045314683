// Signing in with a passkey, and making one from an invitation. The server makes the challenge and checks the answer.
"use strict";

const button = document.querySelector("[data-passkey]");
const message = document.querySelector("[data-message]");

async function post(path, body) {
  const response = await fetch(path, {
    method: "POST", body: body ?? "", headers: { Accept: "application/json" }, credentials: "same-origin",
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail);
  return answer;
}

async function run() {
  const path = button.dataset.passkey;
  const options = await post(`${path}/options`);
  const credential = button.dataset.makes === "yes"
    ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
    : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
  const answer = await post(path, JSON.stringify(credential.toJSON()));
  window.location.assign(answer.to);
}

button.addEventListener("click", async () => {
  button.disabled = true;
  message.textContent = "";
  try {
    await run();
  } catch (error) {
    message.textContent = error.name === "NotAllowedError" ? message.dataset.cancelled : error.message;
    button.disabled = false;
    button.focus();
  }
});

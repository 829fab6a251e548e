/** The markup of the whole interface, for a document or a shadow root: the lobby, the ring dialog, the call. */

/** @import {Words} from './words/index.js' */

/**
 * @param {Words} words @param {'main' | 'section'} landmark `main` where the interface is the page
 * @returns {DocumentFragment}
 */
export function markup(words, landmark) {
  const { lobby, ring, call, moderate, people, chat, quality } = words;
  const template = document.createElement('template');
  // Words are ours and hold no markup; what people write comes in as text alone.
  template.innerHTML = `
<${landmark} id="lobby" class="lobby" part="lobby">
  <header class="brand" part="brand">
    <svg class="brand-mark" viewBox="0 0 64 40" aria-hidden="true"><use href="#i-boat"/></svg>
    <h1>Sampan</h1>
    <p>${words.tagline}</p>
  </header>
  <section class="preview" part="preview" aria-label="${lobby.preview}">
    <video id="preview-video" playsinline muted autoplay></video>
    <div class="preview-off" id="preview-off" hidden>${svg('camera-off')}<span>${lobby.cameraOff}</span></div>
    <p class="preview-tag" id="preview-tag" hidden>${lobby.generated}</p>
    <div class="preview-bar">
      <button type="button" class="round" id="preview-microphone" aria-pressed="true">${svg('microphone')}<span class="sr">${lobby.microphone}</span></button>
      <button type="button" class="round" id="preview-camera" aria-pressed="true">${svg('camera')}<span class="sr">${lobby.camera}</span></button>
      <meter class="level" id="preview-level" min="0" max="1" value="0" aria-label="${lobby.level}"></meter>
    </div>
  </section>
  <form id="join-form" class="join" autocomplete="off" novalidate>
    <div class="notice" id="lobby-notice" role="status" hidden></div>
    <div class="fields">
      <label class="field"><span>${lobby.name}</span><input id="name" name="name" maxlength="64" required autocapitalize="words" spellcheck="false"></label>
      <label class="field"><span>${lobby.room}</span><input id="room" name="room" maxlength="64" required autocapitalize="none" spellcheck="false"></label>
    </div>
    <div class="fields" id="device-fields">
      <label class="field"><span>${lobby.camera}</span><select id="camera-device"></select></label>
      <label class="field"><span>${lobby.microphone}</span><select id="microphone-device"></select></label>
    </div>
    <div class="notice" id="join-error" role="alert" data-kind="error" hidden></div>
    <p class="lock" id="lobby-lock" hidden>${svg('lock')}<span>${lobby.encrypted}</span></p>
    <button class="primary" id="join" part="join" type="submit">${lobby.join}</button>
    <div class="waiting" id="waiting" hidden>
      <p role="status">${lobby.waiting}</p>
      <button type="button" class="secondary" id="stop-waiting">${lobby.stopWaiting}</button>
    </div>
    <p class="reach" id="reach" role="status" data-reachable="wait">${lobby.connecting}</p>
  </form>
  <form id="ring-form" class="ring-form" autocomplete="off" hidden>
    <label class="field"><span>${ring.label}</span><input id="ring-to" maxlength="64" autocapitalize="words" spellcheck="false"></label>
    <button class="secondary" type="submit">${ring.button}</button>
    <div class="notice" id="ring-notice" role="status" hidden></div>
  </form>
</${landmark}>

<dialog id="ring-dialog" class="ring-dialog" part="ring-dialog" aria-labelledby="ring-name" aria-describedby="ring-words">
  <svg class="brand-mark" viewBox="0 0 64 40" aria-hidden="true"><use href="#i-boat"/></svg>
  <h2 id="ring-name" tabindex="-1" autofocus></h2>
  <p id="ring-words" role="status"></p>
  <div class="ring-buttons">
    <button type="button" class="secondary" id="ring-reject">${ring.decline}</button>
    <button type="button" class="primary" id="ring-accept">${ring.answer}</button>
  </div>
</dialog>

<${landmark} id="call" class="call" part="call" hidden>
  <header class="call-head" part="head">
    <svg viewBox="0 0 64 40" aria-hidden="true"><use href="#i-boat"/></svg>
    <h1 id="call-title" tabindex="-1"><span class="lock" id="call-lock" title="${call.encryptedTitle}" hidden>${svg('lock')}<span class="sr">${call.encrypted}</span></span><span id="call-room"></span></h1>
    <p id="call-count"></p>
    <p id="call-state" class="pill" role="status" hidden>${call.reconnecting}</p>
    <details class="menu" id="room-menu" hidden>
      <summary id="toggle-room-menu">${svg('moderate')}<span>${moderate.menu}</span></summary>
      <div>
        <button type="button" id="open-people">${people.open}</button>
        <button type="button" id="mute-all">${moderate.muteAll}</button>
        <button type="button" id="lock-room">${moderate.lock}</button>
        <button type="button" id="wait-room">${moderate.wait}</button>
        <button type="button" id="spotlight-off">${moderate.endSpotlight}</button>
      </div>
    </details>
  </header>
  <div class="call-notices">
    <div class="notice" id="call-notice" role="status" hidden></div>
    <div class="notice waiting-notice" id="waiting-notice" role="status" hidden>
      <span id="waiting-notice-text"></span>
      <button type="button" class="link" id="notice-admit-all">${people.admit}</button>
      <button type="button" class="link" id="show-waiting">${people.show}</button>
    </div>
    <div class="notice" id="speaker-notice" role="status" hidden>
      <span id="speaker-why"></span> <button type="button" class="link" id="speaker-on">${call.turnOn}</button>
    </div>
  </div>
  <div class="call-body">
    <div class="stage" id="stage" part="stage">
      <ul class="featured" id="featured" aria-label="${call.featured}" hidden></ul>
      <ul class="grid" id="grid" aria-label="${call.people}"></ul>
    </div>
    <aside class="panel chat" id="chat" part="chat" aria-label="${chat.title}" hidden>
      ${panelHead(chat.title, 'chat-close', words.close)}
      <p class="nobody" id="chat-empty">${chat.nobody}</p>
      <ol id="chat-list" role="log" aria-label="${chat.messages}" tabindex="0"></ol>
      <p class="typing" id="chat-typing" role="status"></p>
      <p class="problem" id="chat-problem" role="alert"></p>
      <form id="chat-form" autocomplete="off">
        <label class="sr" for="chat-text">${chat.placeholder}</label>
        <textarea id="chat-text" rows="2" maxlength="2000" placeholder="${chat.placeholder}"></textarea>
        <button type="submit" class="round send" aria-label="${chat.send}">${svg('send')}</button>
      </form>
    </aside>
    <aside class="panel people" id="people" part="people" aria-labelledby="people-title" hidden>
      <header class="panel-head"><h2 id="people-title" tabindex="-1">${people.title}</h2><button type="button" class="close" id="people-close" aria-label="${words.close}">${svg('close')}</button></header>
      <div class="people-body">
        <p class="problem" id="people-problem" role="alert"></p>
        <section id="people-waits" hidden>
          <h3>${people.waiting}</h3>
          <ul id="people-waiting"></ul>
          <button type="button" class="small-button" id="admit-all">${people.admitAll}</button>
        </section>
        <section>
          <h3>${people.everybody}</h3>
          <ul id="people-list"></ul>
        </section>
        <fieldset>
          <legend>${people.may}</legend>
          <label><input type="checkbox" id="may-microphone"> ${call.microphone}</label>
          <label><input type="checkbox" id="may-camera"> ${call.camera}</label>
          <label><input type="checkbox" id="may-screen"> ${people.screen}</label>
        </fieldset>
        <section>
          <h3>${people.groups}</h3>
          <p class="group-line"><label>${people.count} <input type="number" id="group-count" min="1" max="50" value="2"></label>
            <button type="button" class="small-button" id="make-groups">${people.make}</button></p>
          <p class="group-line">
            <button type="button" class="small-button" id="share-out" hidden>${people.shareOut}</button>
            <button type="button" class="small-button" id="recall" hidden>${people.recall}</button>
            <button type="button" class="small-button" id="end-groups" hidden>${people.end}</button>
          </p>
        </section>
      </div>
    </aside>
    <aside class="panel quality" id="quality" part="quality" aria-label="${quality.title}" hidden>
      ${panelHead(quality.title, 'quality-close', words.close)}
      <div id="quality-figures" tabindex="0" role="region" aria-label="${quality.title}"></div>
    </aside>
  </div>
  <div class="controls" part="controls" role="toolbar" aria-label="${call.controls}">
    ${control('microphone', call.microphoneShort, 'aria-pressed="true"', call.microphone)}
    ${control('camera', call.camera, 'aria-pressed="true"')}
    ${control('hand', call.hand, 'aria-pressed="false"')}
    ${control('chat', chat.title, 'aria-expanded="false" aria-controls="chat"', chat.title, '<i id="chat-badge" class="badge" hidden></i>')}
    ${control('more', call.more, 'aria-expanded="false" aria-controls="more"')}
    <div class="more" id="more">
      ${control('screen', call.screen, 'aria-pressed="false"')}
      ${control('speaker', call.speaker, 'aria-pressed="true"')}
      ${control('quality', quality.title, 'aria-expanded="false" aria-controls="quality"')}
    </div>
    <button type="button" id="leave" class="danger" part="button leave">${svg('leave')}<span>${call.leave}</span></button>
  </div>
</${landmark}>

<div id="parking" class="parking" aria-hidden="true"></div>
<div id="announcer" class="sr" aria-live="polite"></div>
<svg width="0" height="0" class="sr" aria-hidden="true">${SYMBOLS}</svg>`;
  return template.content;
}

const svg = (/** @type {string} */ name) => `<svg aria-hidden="true"><use href="#i-${name}"/></svg>`;

/** @param {string} name of the id and the icon @param {string} label @param {string} state @param {string} [full] where the label is a short one @param {string} [more] */
const control = (name, label, state, full = label, more = '') =>
  `<button type="button" id="toggle-${name}" part="button ${name}" aria-label="${full}" ${state}>${svg(name)}<span>${label}</span>${more}</button>`;

const panelHead = (/** @type {string} */ title, /** @type {string} */ id, /** @type {string} */ close) =>
  `<header class="panel-head"><h2>${title}</h2><button type="button" class="close" id="${id}" aria-label="${close}">${svg('close')}</button></header>`;

/** The icons, drawn for this page; `<use href="#i-name">` finds them within the same root. */
const SYMBOLS = `
  <symbol id="i-boat" viewBox="0 0 64 40"><path d="M18 22C19 10 26 6 32 6s13 4 14 16z" fill="currentColor" opacity=".45"/><path d="M3 15c6 7 17 8 29 8s22-2 29-11c-3 15-14 21-29 21S6 28 3 15z" fill="currentColor"/><path d="M8 38c5-3 9-3 13 0s8 3 13 0 9-3 13 0 7 3 10 1" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" opacity=".55"/></symbol>
  <symbol id="i-microphone" viewBox="0 0 24 24"><rect x="9" y="3" width="6" height="11" rx="3" fill="currentColor"/><path d="M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3M9 21h6" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round"/></symbol>
  <symbol id="i-microphone-off" viewBox="0 0 24 24"><rect x="9" y="3" width="6" height="11" rx="3" fill="currentColor" opacity=".5"/><path d="M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3M9 21h6" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" opacity=".5"/><path d="M4 4l16 16" stroke="currentColor" stroke-width="2" stroke-linecap="round"/></symbol>
  <symbol id="i-camera" viewBox="0 0 24 24"><rect x="2.5" y="6" width="13" height="12" rx="3" fill="currentColor"/><path d="M17 10.6l3.5-2.2c.5-.3 1 0 1 .6v6c0 .6-.5.9-1 .6L17 13.4z" fill="currentColor"/></symbol>
  <symbol id="i-camera-off" viewBox="0 0 24 24"><g opacity=".5"><rect x="2.5" y="6" width="13" height="12" rx="3" fill="currentColor"/><path d="M17 10.6l3.5-2.2c.5-.3 1 0 1 .6v6c0 .6-.5.9-1 .6L17 13.4z" fill="currentColor"/></g><path d="M4 4l16 16" stroke="currentColor" stroke-width="2" stroke-linecap="round"/></symbol>
  <symbol id="i-screen" viewBox="0 0 24 24"><rect x="2.5" y="4" width="19" height="13" rx="2.5" fill="none" stroke="currentColor" stroke-width="1.8"/><path d="M12 14V8m-2.6 2.3L12 7.7l2.6 2.6M8 20.5h8" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/></symbol>
  <symbol id="i-speaker" viewBox="0 0 24 24"><path d="M4 9.5h3.2L12 5.4c.4-.3 1-.1 1 .5v12.2c0 .6-.6.8-1 .5l-4.8-4.1H4a1 1 0 0 1-1-1v-3a1 1 0 0 1 1-1z" fill="currentColor"/><path d="M16 9a4.2 4.2 0 0 1 0 6M18.6 6.5a7.8 7.8 0 0 1 0 11" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round"/></symbol>
  <symbol id="i-speaker-off" viewBox="0 0 24 24"><path d="M4 9.5h3.2L12 5.4c.4-.3 1-.1 1 .5v12.2c0 .6-.6.8-1 .5l-4.8-4.1H4a1 1 0 0 1-1-1v-3a1 1 0 0 1 1-1z" fill="currentColor" opacity=".5"/><path d="M16.5 9.5l5 5m0-5l-5 5" stroke="currentColor" stroke-width="2" stroke-linecap="round"/></symbol>
  <symbol id="i-pin" viewBox="0 0 24 24"><path d="M9 3.500h6l-.8 6.200 3.300 3.300v1.800h-5l-.5 5.700-.5-5.700h-5v-1.800l3.300-3.300z" fill="currentColor"/></symbol>
  <symbol id="i-quality" viewBox="0 0 24 24"><path d="M4 20v-5M9.3 20V11M14.6 20V7M20 20V4" stroke="currentColor" stroke-width="2.6" stroke-linecap="round"/></symbol>
  <symbol id="i-hand" viewBox="0 0 24 24"><path d="M8 12V5.500a1.300 1.300 0 0 1 2.600 0V11m0-.5V4.200a1.300 1.300 0 0 1 2.600 0v6.300m0 0V5.300a1.300 1.300 0 0 1 2.600 0V12m0-.5V8.300a1.300 1.300 0 0 1 2.600 0v6.200c0 4-2.600 6.500-6.200 6.500-2.700 0-4.300-1-5.600-3.100L4 14.200c-.9-1.600 1-2.800 2.200-1.500L8 14.600" fill="none" stroke="currentColor" stroke-width="1.700" stroke-linecap="round" stroke-linejoin="round"/></symbol>
  <symbol id="i-chat" viewBox="0 0 24 24"><path d="M4.500 5h15A1.500 1.500 0 0 1 21 6.500v9a1.500 1.500 0 0 1-1.500 1.500H11l-4.500 3.600V17h-2A1.500 1.500 0 0 1 3 15.500v-9A1.500 1.500 0 0 1 4.500 5z" fill="none" stroke="currentColor" stroke-width="1.800" stroke-linejoin="round"/><path d="M7.500 9.500h9M7.500 12.700h6" stroke="currentColor" stroke-width="1.800" stroke-linecap="round"/></symbol>
  <symbol id="i-send" viewBox="0 0 24 24"><path d="M4 11.200L20 4l-5.500 16-3.300-6.700z" fill="currentColor"/></symbol>
  <symbol id="i-leave" viewBox="0 0 24 24"><path d="M3 14.6c0-4.3 4.4-6.6 9-6.6s9 2.3 9 6.6c0 1-.7 1.7-1.7 1.5l-3-.6a1.5 1.5 0 0 1-1.2-1.4l-.1-1.3a10 10 0 0 0-6 0l-.1 1.3c0 .7-.5 1.3-1.2 1.4l-3 .6C3.700 16.300 3 15.600 3 14.600z" fill="currentColor"/></symbol>
  <symbol id="i-more" viewBox="0 0 24 24"><path d="M5.500 12h.01M12 12h.01M18.500 12h.01" stroke="currentColor" stroke-width="3.600" stroke-linecap="round"/></symbol>
  <symbol id="i-lock" viewBox="0 0 24 24"><rect x="5" y="10.500" width="14" height="10" rx="2.500" fill="currentColor"/><path d="M8 10.500V7.500a4 4 0 0 1 8 0v3" fill="none" stroke="currentColor" stroke-width="2"/></symbol>
  <symbol id="i-close" viewBox="0 0 24 24"><path d="M6.500 6.500l11 11m0-11l-11 11" stroke="currentColor" stroke-width="2" stroke-linecap="round"/></symbol>
  <symbol id="i-moderate" viewBox="0 0 24 24"><path d="M12 3.500l7 2.600v5.200c0 4.300-2.900 7.700-7 9.200-4.100-1.500-7-4.900-7-9.200V6.100z" fill="none" stroke="currentColor" stroke-width="1.800" stroke-linejoin="round"/><path d="M9 12l2.200 2.200L15.200 10" fill="none" stroke="currentColor" stroke-width="1.800" stroke-linecap="round" stroke-linejoin="round"/></symbol>`;

/** Everything that a person reads, in English: the table that other languages are checked against. */

const NO_WEBRTC = 'This browser cannot make calls: it has no WebRTC. A current Firefox, Chrome, Edge or Safari can.';

export const en = {
  locale: 'en',
  tagline: 'Calls over your own server.',
  close: 'Close',
  you: 'You',
  yourScreen: 'Your screen',
  screenOf: (/** @type {string} */ name) => `${name}’s screen`,

  lobby: {
    preview: 'How others will see and hear you', cameraOff: 'Camera is off', microphone: 'Microphone', camera: 'Camera', level: 'Microphone level',
    name: 'Your name', room: 'Room', join: 'Join', joining: 'Joining …', generated: 'Generated picture',
    connecting: 'Connecting to the server …', reachable: 'Connected to the server', unreachable: 'The server cannot be reached. Trying again …',
    waiting: 'Whoever leads the call has been told that you are here, and will let you in.', stopWaiting: 'Stop waiting',
    needName: 'Others need a name to call you by.', needRoom: 'A room needs a name: everybody who gives the same one meets there.',
    device: (/** @type {'camera' | 'microphone'} */ device, /** @type {number} */ n) => `${device === 'camera' ? 'Camera' : 'Microphone'} ${n}`,
    noCamera: 'None: generated picture', noMicrophone: 'None: generated tone',
    encrypted: 'Sound and pictures are encrypted end to end, for whoever has the whole link. Chat is not.',
  },

  ring: {
    label: 'Or ring somebody who has this page open, by their name', button: 'Ring', answer: 'Answer', decline: 'Decline', cancel: 'Cancel',
    calling: 'Calling …', ringing: 'It is ringing …', incoming: 'is calling you', yourself: 'That is you.',
    missed: (/** @type {string} */ name) => `You missed a call of ${name}.`,
    rejected: (/** @type {string} */ name) => `${name} declined.`,
    busy: (/** @type {string} */ name) => `${name} is in another call. They will see that you called.`,
    unanswered: (/** @type {string} */ name) => `${name} did not answer.`,
    over: (/** @type {string} */ name) => `The call with ${name} is over.`,
  },

  call: {
    people: 'People in this call', featured: 'Shared screens and pinned people', controls: 'Call controls',
    microphone: 'Microphone', microphoneShort: 'Mic', camera: 'Camera', screen: 'Share screen', speaker: 'Speaker',
    hand: 'Hand', more: 'More', leave: 'Leave', notAllowed: 'Not allowed in this call',
    encrypted: 'Encrypted', encryptedTitle: 'Sound and pictures are encrypted end to end: the server cannot hear or see them. Chat is not encrypted.',
    keyChanged: 'The key of this call was changed', keyNeedsLeave: 'Whether a call is encrypted is settled before it is joined: leave, and join again.',
    reconnecting: 'Reconnecting …', waits: 'Waiting to be let in …', turnOn: 'Turn it on',
    count: (/** @type {number} */ others) => (others === 0 ? 'Only you are here' : others === 1 ? 'You and one other' : `${others + 1} people`),
    joined: (/** @type {string} */ room, /** @type {string} */ count) => `You joined ${room}. ${count}.`,
    back: 'You are in the call again',
    arrived: (/** @type {string} */ name) => `${name} joined`,
    departed: (/** @type {string} */ name) => `${name} left`,
    pinned: (/** @type {string} */ name) => `${name} is pinned`,
    unpinned: 'Nobody is pinned',
    muted: 'Your microphone was muted by whoever leads the call. You may switch it on again.',
    stopped: 'Your picture was stopped by whoever leads the call. You may switch it on again.',
    howl: 'The speaker of this tab is off: another tab of this browser is in a call, and the two would howl.',
    blocked: 'The browser holds the sound back until you ask for it.',
    moved: (/** @type {string} */ group) => `You are in ${group} now, with those who are there.`,
    recalled: 'You are back with everybody.',
    yourRole: (/** @type {string} */ role) => `What you are here has been changed: ${role}.`,
    noScreen: (/** @type {string} */ why) => `The screen cannot be shared: ${why}`,
  },

  moderate: {
    menu: 'Moderate', muteAll: 'Mute everybody else', lock: 'Lock the room', unlock: 'Open the room',
    wait: 'Let people wait outside', noWait: 'Let people in at once', spotlightOwn: 'Put me in the spotlight', endSpotlight: 'End the spotlight',
    of: (/** @type {string} */ name) => `Moderate ${name}`,
    mute: 'Mute', stopVideo: 'Stop video', spotlight: 'Spotlight', remove: 'Remove',
  },

  people: {
    open: 'People and groups', title: 'People and groups', waiting: 'Waiting outside', everybody: 'In the room', show: 'Show',
    admit: 'Let in', refuse: 'Send away', admitAll: 'Let everybody in',
    wants: (/** @type {string} */ name) => `${name} waits to be let in.`,
    wait: (/** @type {number} */ n) => `${n} people wait to be let in.`,
    admitOne: (/** @type {string} */ name) => `Let ${name} in`,
    refuseOne: (/** @type {string} */ name) => `Send ${name} away`,
    roles: { teacher: 'Teacher', assistant: 'Assistant', student: 'Student', audience: 'Audience' }, noRole: 'No role',
    roleOf: (/** @type {string} */ name) => `Role of ${name}`,
    groupOf: (/** @type {string} */ name) => `Group of ${name}`,
    may: 'Others may switch on', screen: 'Screen',
    groups: 'Groups', count: 'How many', make: 'Make groups', shareOut: 'Share people out', recall: 'Call everybody back', end: 'End the groups',
    main: 'Everybody', group: (/** @type {number} */ n) => `Group ${n}`,
    failed: (/** @type {string} */ why) => `That was not possible: ${why}`,
  },

  tile: {
    connecting: 'Connecting …', lost: 'Connection lost. Waiting …', paused: 'Paused',
    pauses: /** @type {Partial<Record<string, string>>} */ ({
      bandwidth: 'Picture paused: your connection is too slow for it now',
      last_n: 'Picture paused: many people have their camera on',
    }),
    problems: {
      encrypted: 'Encrypted: this call is joined by the whole link, with its key',
      key_differs: 'Cannot be decrypted: the key differs',
      not_encrypted: 'Not encrypted, so not played in this call',
    },
    notPlayed: (/** @type {string} */ name, /** @type {string} */ why) => `${name} can be neither seen nor heard. ${why}`,
    point: 'Press and hold to show everybody where',
    speaking: 'speaking', handRaised: 'hand raised', muted: 'microphone off', noPicture: 'no picture', separator: ', ',
    pin: (/** @type {string} */ who) => `Pin ${who}`,
    pinTitle: (/** @type {string} */ who) => `Pin ${who}: larger, and sharp first`,
    unpin: (/** @type {string} */ who) => `Unpin ${who}`,
  },

  chat: {
    title: 'Chat', unread: (/** @type {number} */ n) => `Chat, ${n} new`, messages: 'Messages', send: 'Send', sending: 'sending …',
    nobody: 'Nobody has written anything yet. What is written here is kept for whoever joins later.',
    placeholder: 'Message to everybody', notAllowed: 'You may not write here',
    types: (/** @type {string} */ name) => `${name} is typing …`, severalType: 'Several people are typing …',
    notSent: (/** @type {string} */ body, /** @type {string} */ why) => `“${body}” was not sent: ${why}`,
  },

  quality: {
    title: 'Quality', connecting: 'Connecting', own: 'This device', receiving: 'Receiving', changes: 'What was changed, and why',
    stages: { signaling: 'Signaling', ice: 'ICE', dtls: 'DTLS', first_packet: 'First packet', first_audio: 'First audio', first_frame: 'First frame' },
    roundTrip: 'Round trip', sending: 'Sending', lost: (/** @type {string} */ rate, /** @type {string} */ pct) => `${rate}, ${pct} % lost`,
    couldSend: 'Could send', layers: 'Layers sent', path: 'Path', carries: 'Link carries', unknown: 'not known yet', best: 'At its best',
    columns: ['From', 'Picture', 'Sent to you', 'Rate', 'Lost', 'Made up', 'Freezes'], table: 'Received from each person', nobody: 'Nobody else yet.',
    nothing: 'nothing', layerOf: (/** @type {number} */ n, /** @type {number} */ temporal) => (temporal > 0 ? `layer ${n} (T${temporal})` : `layer ${n}`),
    changed: (/** @type {string} */ from, /** @type {string} */ to, /** @type {string} */ why) => `from ${from} to ${to}: ${why}`,
    why: /** @type {Partial<Record<string, (of: Decided) => string>>} */ ({
      began: (of) => `it began, with ${of.needed_kbps} of ${of.budget_kbps} kb/s for video`,
      room: (of) => `the link carries ${of.estimate_kbps} kb/s now, and this takes ${of.needed_kbps}`,
      congestion: (of) => (of.paused === 'bandwidth'
        ? `the link carries ${of.estimate_kbps} kb/s and sound comes first; the smallest layer takes ${of.needed_kbps} of ${of.budget_kbps}`
        : `the link carries ${of.estimate_kbps} kb/s; what was sent before took ${of.needed_kbps}`),
      asked: (of) => `the tile asks for it (${of.width}×${of.height}), and this takes ${of.needed_kbps} kb/s`,
      tile_size: (of) => (of.paused === 'hidden' ? 'the tile is not on screen' : `the tile is ${of.width}×${of.height} and shows no more than this`),
      others: (of) => `others come first: ${of.budget_kbps} kb/s are there for all video, and what was sent before took ${of.needed_kbps}`,
      layer_gone: () => 'what was sent before is not published any more',
      contradiction: () => 'the publisher contradicts itself, and only the base layer can be relied on',
      limit: () => 'more people have video than this room shows at once',
      loudness: () => 'the loudest are heard',
    }),
    layer: (/** @type {number} */ n) => `layer ${n}`, paused: (/** @type {string} */ why) => `paused: ${why}`,
    pauses: { hidden: 'not on screen', bandwidth: 'link too slow', last_n: 'many cameras', quiet: 'others are louder' },
    somebody: 'Somebody who left', seconds: 's', minutes: 'min',
  },

  noWebrtc: NO_WEBRTC,

  /** Why a call could not be joined, or ended. `because` is the server's own word. */
  errors: /** @type {Record<string, (because: string) => string>} */ ({
    unreachable: () => 'The server cannot be reached. Is it running, and is this device on the network?',
    gone: () => 'The connection to the server was lost while joining. Try again.',
    unsupported: () => NO_WEBRTC,
    bad_key: () => 'The key of this call is empty or too short. Open the whole link again.',
    no_encryption: () => 'This call is encrypted end to end, which this browser cannot do, or not on a page from plain HTTP. '
      + 'Open it over HTTPS in a current Chrome, Edge, Firefox or Safari.',
    bad_name: (because) => `This name cannot be used: ${because}`,
    bad_room: (because) => `This room name cannot be used: ${because}`,
    access_denied: () => 'You are not let into this room: the invitation may have expired, or is for another room. Ask for a new one.',
    removed: (because) => `You are out of the call: ${because}.`,
    not_admitted: () => 'Whoever leads the call did not let you in.',
    wait_timeout: () => 'Nobody has let you in. Try again, or ask whoever leads the call.',
    room_locked: () => 'This room is locked. Ask whoever leads the call to open it.',
    room_full: () => 'This room is full. Try another, or come back when somebody has left.',
    too_many_rooms: () => 'The server has as many rooms as it allows. Join one that exists, or try later.',
    too_many_joins: () => 'Too many joins from this address in a short time. Wait a minute, then try again.',
    shutting_down: () => 'The server is shutting down. Try again in a moment.',
    slow_consumer: () => 'This device or its network could not keep up with the call. Try again.',
  }),
  otherError: (/** @type {string} */ because, /** @type {string} */ code) => `The call could not be joined: ${because} (${code})`,

  reconnect: {
    mediaLost: 'No sound or picture gets through to the server: its UDP port may be blocked on the way. Trying again …',
    restarting: 'The server is restarting. You will be back as soon as it answers …',
    alive: 'The connection to the server was lost. Sound and pictures go on meanwhile; the rest follows as soon as it answers …',
    lost: 'The connection to the server was lost. You will be back as soon as it answers …',
  },

  /** What is missing, and what is sent instead. `of`: both, or the one. */
  devices: {
    insecure: 'This page came over plain HTTP from another machine, so browsers give it neither camera nor microphone. '
      + 'Start the server with --tls self-signed and open its https:// address. Until then you join with a generated picture and tone.',
    instead: { both: 'a generated picture and tone', camera: 'a generated picture', microphone: 'a generated tone' },
    refused: (/** @type {'both' | 'camera' | 'microphone'} */ of, /** @type {string} */ instead) =>
      `The ${WHAT[of]} ${of === 'both' ? 'were' : 'was'} refused. Allow ${of === 'both' ? 'them' : 'it'} beside the address bar and reload, or join with ${instead}.`,
    missing: (/** @type {'both' | 'camera' | 'microphone'} */ of, /** @type {string} */ instead) =>
      `No ${of === 'both' ? 'camera or microphone' : WHAT[of]} was found. You join with ${instead}.`,
    busy: (/** @type {'both' | 'camera' | 'microphone'} */ of, /** @type {string} */ instead) =>
      `The ${WHAT[of]} cannot be opened: another program may be using it. You join with ${instead}.`,
    failed: (/** @type {'both' | 'camera' | 'microphone'} */ of, /** @type {string} */ instead, /** @type {string} */ why) =>
      `The ${WHAT[of]} cannot be used (${why}). You join with ${instead}.`,
  },
};

/** @typedef {import('../../sdk/index.js').Decision & {paused: string | null}} Decided */

const WHAT = { both: 'camera and microphone', camera: 'camera', microphone: 'microphone' };

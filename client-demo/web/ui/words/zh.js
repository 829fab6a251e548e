/** Everything that a person reads, in Chinese. */

/** @import {Words} from './index.js' */

const NO_WEBRTC = '此浏览器不支持 WebRTC，无法通话。请使用最新版的 Firefox、Chrome、Edge 或 Safari。';
const WHAT = { both: '摄像头和麦克风', camera: '摄像头', microphone: '麦克风' };

/** @type {Words} */
export const zh = {
  locale: 'zh',
  tagline: '通话经由您自己的服务器。',
  close: '关闭',
  you: '您',
  yourScreen: '您的屏幕',
  screenOf: (name) => `${name} 的屏幕`,

  lobby: {
    preview: '别人将看到和听到的您', cameraOff: '摄像头已关闭', microphone: '麦克风', camera: '摄像头', level: '麦克风音量',
    name: '您的名字', room: '房间', join: '加入', joining: '正在加入……', generated: '生成的画面',
    connecting: '正在连接服务器……', reachable: '已连接服务器', unreachable: '无法连接服务器，正在重试……',
    waiting: '已告知主持人您在等候，请等待准许进入。', stopWaiting: '不再等候',
    needName: '请填写名字，方便别人称呼您。', needRoom: '请填写房间名：填写相同名称的人会在同一房间见面。',
    device: (device, n) => `${device === 'camera' ? '摄像头' : '麦克风'} ${n}`,
    noCamera: '无：使用生成的画面', noMicrophone: '无：使用生成的声音',
    encrypted: '声音和画面端到端加密，只有持有完整链接的人可以解密。聊天内容不加密。',
  },

  ring: {
    label: '或输入名字，呼叫正打开此页面的人', button: '呼叫', answer: '接听', decline: '拒绝', cancel: '取消',
    calling: '正在呼叫……', ringing: '对方正在振铃……', incoming: '正在呼叫您', yourself: '这是您自己。',
    missed: (name) => `您错过了 ${name} 的来电。`,
    rejected: (name) => `${name} 已拒绝。`,
    busy: (name) => `${name} 正在通话中，稍后会看到您的来电。`,
    unanswered: (name) => `${name} 没有接听。`,
    over: (name) => `与 ${name} 的通话已结束。`,
  },

  call: {
    people: '通话中的人', featured: '共享的屏幕和置顶的人', controls: '通话控制',
    microphone: '麦克风', microphoneShort: '麦克风', camera: '摄像头', screen: '共享屏幕', speaker: '扬声器',
    hand: '举手', more: '更多', leave: '离开', notAllowed: '此通话不允许',
    encrypted: '已加密', encryptedTitle: '声音和画面端到端加密，服务器无法听到或看到。聊天内容不加密。',
    keyChanged: '此通话的密钥已更换', keyNeedsLeave: '是否加密在加入前决定：请先离开，再重新加入。',
    reconnecting: '正在重新连接……', waits: '正在等候准许进入……', turnOn: '打开',
    count: (others) => (others === 0 ? '只有您一人' : `${others + 1} 人`),
    joined: (room, count) => `您已加入 ${room}，${count}。`,
    back: '您已回到通话中',
    arrived: (name) => `${name} 加入了`,
    departed: (name) => `${name} 离开了`,
    pinned: (name) => `已置顶 ${name}`,
    unpinned: '已取消置顶',
    muted: '主持人已将您静音，您可以重新打开麦克风。',
    stopped: '主持人已停止您的画面，您可以重新打开。',
    howl: '此标签页的扬声器已关闭：此浏览器的另一个标签页正在通话，同时播放会产生啸叫。',
    blocked: '浏览器暂停了声音，需要您手动打开。',
    moved: (group) => `您已进入${group}，与组内的人在一起。`,
    recalled: '您已回到大房间。',
    yourRole: (role) => `您在此处的身份已更改：${role}。`,
    noScreen: (why) => `无法共享屏幕：${why}`,
  },

  moderate: {
    menu: '管理', muteAll: '将其他人静音', lock: '锁定房间', unlock: '开放房间',
    wait: '让来者在外等候', noWait: '让来者直接进入', spotlightOwn: '将我设为聚焦', endSpotlight: '结束聚焦',
    of: (name) => `管理 ${name}`,
    mute: '静音', stopVideo: '停止画面', spotlight: '设为聚焦', remove: '移出',
  },

  people: {
    open: '成员与分组', title: '成员与分组', waiting: '正在等候', everybody: '房间里的人', show: '查看',
    admit: '准许进入', refuse: '拒绝', admitAll: '全部准许进入',
    wants: (name) => `${name} 正在等候进入。`,
    wait: (n) => `${n} 人正在等候进入。`,
    admitOne: (name) => `准许 ${name} 进入`,
    refuseOne: (name) => `拒绝 ${name}`,
    roles: { teacher: '教师', assistant: '助教', student: '学生', audience: '旁听' }, noRole: '无身份',
    roleOf: (name) => `${name} 的身份`,
    groupOf: (name) => `${name} 的分组`,
    may: '其他人可以打开', screen: '屏幕',
    groups: '分组', count: '组数', make: '建立分组', shareOut: '平均分配', recall: '全部召回', end: '结束分组',
    main: '大房间', group: (n) => `第 ${n} 组`,
    failed: (why) => `操作未能完成：${why}`,
  },

  tile: {
    connecting: '正在连接……', lost: '连接中断，正在等待……', paused: '已暂停',
    pauses: { bandwidth: '画面已暂停：您的网络目前太慢', last_n: '画面已暂停：打开摄像头的人太多' },
    problems: {
      encrypted: '已加密：请使用带密钥的完整链接加入',
      key_differs: '无法解密：密钥不同',
      not_encrypted: '未加密，此通话中不播放',
    },
    notPlayed: (name, why) => `无法看到和听到 ${name}：${why}`,
    point: '按住即可指给所有人看',
    speaking: '正在说话', handRaised: '已举手', muted: '麦克风已关闭', noPicture: '没有画面', separator: '，',
    pin: (who) => `置顶 ${who}`,
    pinTitle: (who) => `置顶 ${who}：画面更大，清晰优先`,
    unpin: (who) => `取消置顶 ${who}`,
  },

  chat: {
    title: '聊天', unread: (n) => `聊天，${n} 条新消息`, messages: '消息', send: '发送', sending: '正在发送……',
    nobody: '还没有消息。这里的消息会保留给之后加入的人。',
    placeholder: '发送给所有人', notAllowed: '您不能在此发言',
    types: (name) => `${name} 正在输入……`, severalType: '多人正在输入……',
    notSent: (body, why) => `“${body}”未能发送：${why}`,
  },

  quality: {
    title: '质量', connecting: '连接过程', own: '本设备', receiving: '接收', changes: '调整及原因',
    stages: { signaling: '信令', ice: 'ICE', dtls: 'DTLS', first_packet: '首个数据包', first_audio: '首个声音', first_frame: '首帧画面' },
    roundTrip: '往返时延', sending: '发送', lost: (rate, pct) => `${rate}，丢包 ${pct} %`,
    couldSend: '可发送', layers: '发送的分层', path: '路径', carries: '链路容量', unknown: '未知', best: '最佳需求',
    columns: ['来自', '画面', '发给您', '速率', '丢包', '补偿', '卡顿'], table: '从每个人接收的数据', nobody: '还没有其他人。',
    nothing: '无', layerOf: (n, temporal) => (temporal > 0 ? `第 ${n} 层（T${temporal}）` : `第 ${n} 层`),
    changed: (from, to, why) => `由${from}变为${to}：${why}`,
    why: {
      began: (of) => `开始发送，视频可用 ${of.budget_kbps} kb/s，占用 ${of.needed_kbps}`,
      room: (of) => `链路现可承载 ${of.estimate_kbps} kb/s，此层需要 ${of.needed_kbps}`,
      congestion: (of) => (of.paused === 'bandwidth'
        ? `链路只能承载 ${of.estimate_kbps} kb/s，声音优先；最小的分层需要 ${of.needed_kbps}，可用 ${of.budget_kbps}`
        : `链路只能承载 ${of.estimate_kbps} kb/s，之前占用 ${of.needed_kbps}`),
      asked: (of) => `画面窗口需要（${of.width}×${of.height}），占用 ${of.needed_kbps} kb/s`,
      tile_size: (of) => (of.paused === 'hidden' ? '画面窗口不在屏幕上' : `画面窗口为 ${of.width}×${of.height}，更高的分层看不出差别`),
      others: (of) => `其他画面优先：全部视频可用 ${of.budget_kbps} kb/s，之前占用 ${of.needed_kbps}`,
      layer_gone: () => '对方不再发送之前的分层',
      contradiction: () => '对方的描述自相矛盾，只有基础层可靠',
      limit: () => '打开摄像头的人超过房间同时显示的数量',
      loudness: () => '只播放声音最大的人',
    },
    layer: (n) => `第 ${n} 层`, paused: (why) => `已暂停：${why}`,
    pauses: { hidden: '不在屏幕上', bandwidth: '链路太慢', last_n: '摄像头太多', quiet: '其他人声音更大' },
    somebody: '已离开的人', seconds: '秒', minutes: '分',
  },

  noWebrtc: NO_WEBRTC,

  errors: {
    unreachable: () => '无法连接服务器。服务器是否在运行，此设备是否已联网？',
    gone: () => '加入时与服务器的连接中断，请重试。',
    unsupported: () => NO_WEBRTC,
    bad_key: () => '此通话的密钥为空或太短，请重新打开完整的链接。',
    no_encryption: () => '此通话为端到端加密，此浏览器不支持，或者页面来自普通 HTTP。请通过 HTTPS 使用最新版的 Chrome、Edge、Firefox 或 Safari 打开。',
    bad_name: () => '这个名字不能使用，请换一个。',
    bad_room: () => '这个房间名不能使用，请换一个。',
    access_denied: () => '您无法进入此房间：邀请可能已过期，或属于另一个房间。请索取新的邀请。',
    removed: () => '您已离开通话：主持人将您移出。',
    not_admitted: () => '主持人没有准许您进入。',
    wait_timeout: () => '没有人准许您进入。请重试，或联系主持人。',
    room_locked: () => '房间已锁定，请主持人开放房间。',
    room_full: () => '房间已满。请换一个房间，或等有人离开后再来。',
    too_many_rooms: () => '服务器的房间数已达上限。请加入已有的房间，或稍后再试。',
    too_many_joins: () => '此地址短时间内加入次数过多，请等一分钟再试。',
    shutting_down: () => '服务器正在关闭，请稍后重试。',
    slow_consumer: () => '此设备或其网络跟不上通话，请重试。',
  },
  otherError: (because, code) => `无法加入通话：${because}（${code}）`,

  reconnect: {
    mediaLost: '声音和画面无法到达服务器：途中可能屏蔽了它的 UDP 端口。正在重试……',
    restarting: '服务器正在重启，恢复后您会自动回到通话……',
    alive: '与服务器的连接中断，声音和画面仍在继续，其余功能恢复后会跟上……',
    lost: '与服务器的连接中断，恢复后您会自动回到通话……',
  },

  devices: {
    insecure: '此页面经由普通 HTTP 从另一台机器打开，浏览器不会提供摄像头和麦克风。请用 --tls self-signed 启动服务器，并打开它的 https:// 地址。在此之前，您将以生成的画面和声音加入。',
    instead: { both: '生成的画面和声音', camera: '生成的画面', microphone: '生成的声音' },
    refused: (of, instead) => `${WHAT[of]}的使用被拒绝。请在地址栏旁允许后刷新页面，或以${instead}加入。`,
    missing: (of, instead) => `没有找到${WHAT[of]}，您将以${instead}加入。`,
    busy: (of, instead) => `无法打开${WHAT[of]}：可能正被其他程序占用。您将以${instead}加入。`,
    failed: (of, instead, why) => `无法使用${WHAT[of]}（${why}），您将以${instead}加入。`,
  },
};

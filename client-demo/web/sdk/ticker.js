/** A worker that does nothing but keep time: a message every so many milliseconds, as first told. */
onmessage = ({ data: every_ms }) => void setInterval(() => postMessage(null), every_ms);

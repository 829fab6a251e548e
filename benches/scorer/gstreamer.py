"""Replays recorded arrivals of RTP in real time through GStreamer's rtpjitterbuffer and Opus decoder.

Arguments: milliseconds to play, the buffer's latency in milliseconds. Standard input: a line for each call, "ARRIVALS<tab>WAV". The file of
arrivals is a list of (microseconds u64, length u16, RTP packet), big-endian. All calls run side by side.
"""

import struct
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

RATE = 48000


def arrivals(path):
    with open(path, "rb") as file:
        data = file.read()
    at = 0
    while at + 10 <= len(data):
        after, length = struct.unpack_from(">QH", data, at)
        yield after / 1e6, data[at + 10 : at + 10 + length]
        at += 10 + length


def pipeline(latency_ms, wav):
    # Opus decodes what the buffer says is lost from in-band FEC, else by concealment; the sink keeps the time.
    return Gst.parse_launch(
        "appsrc name=source is-live=true do-timestamp=true format=time "
        'caps="application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,payload=111" '
        f"! rtpjitterbuffer latency={latency_ms} do-lost=true "
        "! rtpopusdepay ! opusdec use-inband-fec=true plc=true "
        "! audioconvert ! audioresample ! audiorate "
        f"! audio/x-raw,format=S16LE,rate={RATE},channels=1 ! wavenc ! filesink sync=false location={wav}"
    )


def main():
    lasts, latency_ms = int(sys.argv[1]) / 1000, int(sys.argv[2])
    Gst.init(None)
    calls = [line.rstrip("\n").split("\t") for line in sys.stdin]
    pipelines = [pipeline(latency_ms, wav) for _, wav in calls]
    for each in pipelines:
        each.set_state(Gst.State.PLAYING)
    begin = time.monotonic() + 0.2

    def feed(each, path):
        source = each.get_by_name("source")
        for after, packet in arrivals(path):
            if after > lasts:
                break
            time.sleep(max(0.0, begin + after - time.monotonic()))
            source.emit("push-buffer", Gst.Buffer.new_wrapped(packet))
        time.sleep(max(0.0, begin + lasts - time.monotonic()))
        source.emit("end-of-stream")

    feeders = [threading.Thread(target=feed, args=(p, path)) for p, (path, _) in zip(pipelines, calls)]
    for feeder in feeders:
        feeder.start()
    for feeder in feeders:
        feeder.join()
    failed = 0
    for each in pipelines:
        wanted = Gst.MessageType.EOS | Gst.MessageType.ERROR
        message = each.get_bus().timed_pop_filtered(10 * Gst.SECOND, wanted)
        if message is None or message.type == Gst.MessageType.ERROR:
            text = message.parse_error()[0].message if message else "no end of stream"
            print(f"gstreamer.py: {text}", file=sys.stderr)
            failed += 1
        each.set_state(Gst.State.NULL)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

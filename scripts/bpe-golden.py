#!/usr/bin/env python3
"""Golden tokens for the tests of miras-data, by a byte-level BPE written from its definition.

    pip install regex
    scripts/bpe-golden.py            # writes crates/miras-data/fixtures/stories-512.golden.jsonl
    scripts/bpe-golden.py --check    # compares with the file, and with Hugging Face's tokenizers
                                     # where `pip install tokenizers` was done

A text is cut at added tokens, then into words by a pattern; the bytes of a word are joined pair by
pair, the pair that was learned first before all others, until no pair is left that was learned.
Nothing of the library that miras-data uses is used here.
"""

import json
import pathlib
import sys

import regex

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "crates/miras-data/fixtures"
GOLDEN = FIXTURES / "stories-512.golden.jsonl"

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PATTERNS = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "llama3": LLAMA3,
    "qwen2": LLAMA3.replace("{1,3}", ""),
}

TEXTS = [
    "",
    "Anna put the red key under the lamp.",
    "Once upon a time there was a girl who had nine stones, and Tom kept them.",
    "It's what they'd said, we'll see: 'twas 1234567 or 12 34. IT'S WHAT WE'LL SEE.",
    "Tabs\tand  two spaces \n and a space at a line end \n\n\n  \n \nnext",
    "Windows\r\nline ends\r\n\r\nand\rold ones\r",
    "Straße, naïve, Ελλάδα, Привет, 中文字没有空格。日本語のテキスト\n😀😀 😀 👩‍👩‍👧",
    "e\u0301 and \u00e9, \u00a0no-break\u2028separator\u0085next\u3000wide",
    "<|end|>\n<|end|>the story ends. <|end|> <|end <|end|>|>",
    "a" * 100 + " " * 50 + "-" * 40 + "....!!!",
    "    indented:\n        more(x[0] += 1); // why?\n    less\n\t\treturn\n",
    "The lamp was red and the lamp was read and the lamps were reddened. " * 12,
    "١٢٣ ½ Ⅷ x² H₂O e=mc² 3.14159 $1,000.00 50% #tag @name http://a.b/c?d=e&f",
    "\ufeffmark first, \u200bzero width, \u0000NUL, \u007fDEL, \u001funit",
]


def alphabet():
    """The character that stands for each byte: itself if it prints, else one from 256 on."""
    prints = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in prints]
    return {byte: chr(byte) for byte in prints} | {
        byte: chr(256 + at) for at, byte in enumerate(others)
    }


class Bpe:
    def __init__(self, file, pattern):
        model = file["model"]
        self.vocab = model["vocab"]
        pairs = [tuple(pair if isinstance(pair, list) else pair.split(" ")) for pair in model["merges"]]
        self.order = {pair: at for at, pair in enumerate(pairs)}
        self.added = {token["content"]: token["id"] for token in file["added_tokens"]}
        self.words = regex.compile(pattern)
        self.alphabet = alphabet()

    def word(self, word):
        parts = [self.alphabet[byte] for byte in word.encode()]
        while True:
            pairs = [(self.order[pair], at) for at, pair in enumerate(zip(parts, parts[1:])) if pair in self.order]
            if not pairs:
                return [self.vocab[part] for part in parts]
            at = min(pairs)[1]
            parts[at : at + 2] = [parts[at] + parts[at + 1]]

    def encode(self, text):
        ids = []
        for piece in regex.split("(" + "|".join(map(regex.escape, self.added)) + ")", text):
            if piece in self.added:
                ids.append(self.added[piece])
            else:
                ids += [token for word in self.words.findall(piece) for token in self.word(word)]
        return ids


def hugging_face(file, pattern):
    """The same tokenizer in the library of Hugging Face."""
    from tokenizers import Tokenizer

    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    bytes_of = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    both = {"type": "Sequence", "pretokenizers": [split, bytes_of]}
    return Tokenizer.from_str(json.dumps(file | {"pre_tokenizer": both}))


def main():
    file = json.loads((FIXTURES / "stories-512.json").read_text())
    lines = []
    for name, pattern in PATTERNS.items():
        bpe = Bpe(file, pattern)
        for text in TEXTS:
            line = {"pattern": name, "regex": pattern, "text": text, "ids": bpe.encode(text)}
            lines.append(json.dumps(line) + "\n")
    if "--check" not in sys.argv:
        GOLDEN.write_text("".join(lines))
        return
    if GOLDEN.read_text() != "".join(lines):
        sys.exit(f"{GOLDEN} is not what this program gives")
    try:
        others = {name: hugging_face(file, pattern) for name, pattern in PATTERNS.items()}
    except ImportError:
        print(f"{len(lines)} texts as in the file; without `tokenizers` no other program was asked")
        return
    for line in map(json.loads, lines):
        ids = others[line["pattern"]].encode(line["text"], add_special_tokens=False).ids
        if ids != line["ids"]:
            sys.exit(f"{line['pattern']}: Hugging Face gives {ids} for {line}")
    print(f"{len(lines)} texts as in the file and as Hugging Face's tokenizers gives them")


if __name__ == "__main__":
    main()

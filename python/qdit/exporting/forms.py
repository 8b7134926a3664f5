"""How each trainer reads the chosen rows, as they are or written anew, and what it makes of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..common.types import JSON
from .chats import TURNS
from .survey import EXTRAS, Count, Survey
from .writers import FORMATS

LLAMA_FACTORY, AXOLOTL, TRL = "LLaMA-Factory", "axolotl", "TRL"
PLAIN = "sft.jsonl"  # prompts and completions, or messages
SHAREGPT = "sft-sharegpt.jsonl"  # chats that use tools, as LLaMA-Factory has them
SHAREGPT_NAMES = {
    **{"system": "system", "user": "human", "assistant": "gpt"},
    **{"tool": "observation", "call": "function_call"},
}
DATA_FIELDS = {"jsonl": "json", "json": "json", "parquet": "parquet"}  # qdit's format -> a datasets builder
_OPENAI = ("role", "content")


@dataclass(frozen=True)
class Form:
    """How one trainer reads the rows.

    Attributes:
        kind: "alpaca"; "prompt", two texts; "completion", TRL's two lists of turns; or "chat".
        file: where it reads them.
        columns: field -> column, of the fields that the rows have.
        keys: of a chat, which keys of a turn say who speaks and what is said.
        names: of a chat, role -> what the turns call it; "call" is a turn that calls a tool.

    """

    kind: str
    file: str
    columns: Mapping[str, str]
    keys: tuple[str, str] = _OPENAI
    names: Mapping[str, list[str]] = field(default_factory=dict)


def choose_forms(survey: Survey, formats: list[str]) -> dict[str, Form]:
    """Return the form that each trainer reads; formats: those of the export."""
    files = [FORMATS[name] for name in formats if name in DATA_FIELDS]
    own = _own(survey, files[0]) if files else None
    serves = {LLAMA_FACTORY: _serves_llama_factory, AXOLOTL: _serves_axolotl, TRL: _serves_trl}
    return {
        trainer: own if own is not None and fits(survey, own) else _written(survey, trainer)
        for trainer, fits in serves.items()
    }


def _own(survey: Survey, file: str) -> Form | None:
    """Return the form of the rows as they are, None where no setting describes all of them."""
    if survey.is_mixed or len(survey.layouts) > 1 or survey.is_parted or len(survey.keys) > 1:
        return None
    layout = survey.layouts[0]
    texts = dict.fromkeys(("alpaca", "dolly"), ("instruction", "output"))
    fields = (texts | TURNS).get(layout.format)
    if fields is None:
        return None
    columns = {name: layout.columns[name] for name in fields}
    if len(fields) == 1:
        kind, columns = "chat", {"messages": columns[fields[0]]}
    elif layout.format == "prompt":
        kind = "completion" if survey.keys else "prompt"
    else:
        kind = "alpaca"
    columns |= {name: layout.columns[name] for name in EXTRAS if name in survey.present}
    keys = next(iter(survey.keys), _OPENAI)
    return Form(kind, file, columns, keys, {role: sorted(names) for role, names in survey.names.items()})


def _serves_llama_factory(survey: Survey, form: Form) -> bool:
    if not survey.tools <= {"text", "blank"}:
        return False
    if form.kind == "chat":  # one name for each role; a system turn hides the column
        once = all(len(names) == 1 for names in form.names.values())
        return once and not (survey.is_doubled or survey.merged.rows)
    return form.kind != "completion"


def _serves_axolotl(survey: Survey, form: Form) -> bool:
    if form.kind != "chat":
        return form.kind != "completion" and not survey.filled & {"system", "history"}
    # a column "system" is a turn where no other is, be it empty
    system = form.columns.get("system", "system") == "system" and not survey.has_blank_system
    return system and not survey.is_doubled and "call" not in form.names and _has_readable_tools(survey, form)


def _serves_trl(survey: Survey, form: Form) -> bool:
    if form.kind == "alpaca" or "system" in survey.filled or not _has_readable_tools(survey, form):
        return False
    renamed = any(form.columns[name] != name for name in form.columns if name not in EXTRAS)
    standard = all(names == [role] and role != "call" for role, names in form.names.items())
    return form.keys == _OPENAI and standard and not renamed


def _has_readable_tools(survey: Survey, form: Form) -> bool:
    return form.columns.get("tools", "tools") == "tools" and survey.tools <= {"text", "list"}


def _written(survey: Survey, trainer: str) -> Form:
    """Return the form in which the rows are written for a trainer."""
    kind = survey.kind
    tools = {"tools": "tools"} if "tools" in survey.filled else {}
    if kind == "prompt" or (kind == "completion" and trainer == TRL):
        return Form(kind, PLAIN, {"prompt": "prompt", "completion": "completion"} | tools)
    if trainer == LLAMA_FACTORY and survey.uses_tools:
        names = {role: [SHAREGPT_NAMES[role]] for role in (*sorted(survey.roles), "call")}
        return Form("chat", SHAREGPT, {"messages": "conversations"} | tools, ("from", "value"), names)
    train = {"train": "train"} if survey.prompted.rows and trainer == AXOLOTL else {}
    names = {role: [role] for role in sorted(survey.roles)}
    return Form("chat", PLAIN, {"messages": "messages"} | tools | train, names=names)


@dataclass(frozen=True)
class Reading:
    """What a trainer makes of the chosen rows.

    Attributes:
        trainer: its name.
        file: what it reads.
        left_out: why it drops rows -> how many.
        notes: what else becomes of rows -> how many.

    """

    trainer: str
    file: str
    left_out: dict[str, Count]
    notes: dict[str, Count]

    def as_json(self) -> JSON:
        """Return it as JSON values."""
        listed = {"left_out": self.left_out, "notes": self.notes}
        counts = {name: {why: vars(count) for why, count in found.items()} for name, found in listed.items()}
        return {"file": self.file} | {name: found for name, found in counts.items() if found}


def read_back(survey: Survey, forms: Mapping[str, Form]) -> list[Reading]:
    """Return what each trainer makes of the rows."""
    found = []
    for trainer, form in forms.items():
        left_out: dict[str, Count] = {}
        notes: dict[str, Count] = {}
        if trainer == LLAMA_FACTORY:
            left_out |= survey.disorder
        else:
            notes |= {f"{why}, which some chat templates refuse": n for why, n in survey.disorder.items()}
        if trainer == AXOLOTL and survey.unanswered.rows:
            left_out["no answer has a text"] = survey.unanswered
        if trainer == TRL and form.kind == "completion" and survey.uncompleted.rows:
            left_out["the completion is empty"] = survey.uncompleted
        if trainer != AXOLOTL and form.kind == "chat" and survey.prompted.rows:
            unless = " unless mask_history is true" if trainer == LLAMA_FACTORY else ""
            notes[f"answers in the prompt are learnt too{unless}"] = survey.prompted
        if survey.no_tools.rows and form.file in (PLAIN, SHAREGPT):
            notes["tools that are no JSON are left out"] = survey.no_tools
        found.append(Reading(trainer, form.file, left_out, notes))
    return found


def remarks(trained: JSON) -> dict[str, str]:
    """Return what trainers make of the rows, in words; nothing of one that takes all of them.

    trained: trainer -> `Reading.as_json`.
    """
    found = {}
    for trainer, entry in trained.items():
        parts = []
        for name, verb in (("left_out", "leaves out "), ("notes", "")):
            for why, count in entry.get(name, {}).items():
                rows = f"{count['rows']:,} row{'s' * (count['rows'] > 1)}"
                parts.append(f"{verb}{rows}: {why} (such as {count['such_as']})")
        if parts:
            found[trainer] = "; ".join(parts)
    return found

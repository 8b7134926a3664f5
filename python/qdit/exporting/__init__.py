"""From a selection to chosen rows with the evidence: export, explain, verify.

A selection and its pool come in; rows, decisions and a card go out, or an explanation, or what was checked.

choice                 a selection with its pool, its problem rebuilt in the arithmetic that it was made with
exporter               `export`: writes what the next ones make, the manifest last
writers                chosen rows as files
chats, survey          chosen rows as messages; what they look like, which of them trainers may not take
forms, converted       how LLaMA-Factory, axolotl and trl read them; rows written anew where they need it
trainers               the settings of those three
decisions, card        why each row of the pool was kept or not; the data set card
hub                    upload of a finished export
explainer              `explain`: why a row was chosen or not
verifier, replay       `verify`: hashes and rows; picks once more, beside other candidates
named                  sets of rows as they are named on a command line or in a call
similar                nearest chosen rows and gains for all rows of a pool, in blocks
"""

from .choice import Choice, ChoiceOptions, open_choice
from .explainer import Explanation, Neighbor, explain
from .exporter import ExportOptions, export
from .replay import VerifyOptions
from .verifier import Check, Verification, verify

__all__ = [
    "Check",
    "Choice",
    "ChoiceOptions",
    "Explanation",
    "ExportOptions",
    "Neighbor",
    "Verification",
    "VerifyOptions",
    "explain",
    "export",
    "open_choice",
    "verify",
]

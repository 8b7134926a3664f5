"""qdit inside other tools: their data come in, chosen rows go out as they have them.

sklearn      `QDITSelector`, a scikit-learn estimator
apricot      `FacilityLocationSelection`, in place of apricot's; facility: its objective and optimizers
huggingface  `select_dataset`, for Hugging Face data sets
curator      `select_curator_folder`, Parquet in and out as NeMo Curator has it
data_juicer  `QDITSelector`, a Data-Juicer operator

sklearn, apricot and data_juicer need the package that they plug into, and are imported by their own names.
"""

from .curator import CuratorOptions, select_curator_folder
from .huggingface import DatasetOptions, select_dataset

__all__ = ["CuratorOptions", "DatasetOptions", "select_curator_folder", "select_dataset"]

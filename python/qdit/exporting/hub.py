"""An export on the Hugging Face Hub."""

from pathlib import Path

from ..common.optional import require

PACKAGE = ("huggingface_hub", "data", "to push to the Hub")


def push(directory: Path, repo: str, *, private: bool = True) -> str:
    """Upload a finished export as a data set repository, in one commit; return its address.

    The files are uploaded as they are, so the hashes in the manifest hold there too, and the card tells
    `datasets.load_dataset(repo)` what to read. The token comes from the environment (HF_TOKEN) or from
    `hf auth login`; it is written nowhere.

    Raises:
        ImportError: without huggingface_hub.
        RuntimeError: if the Hub refuses, with what to do.

    """
    hub = require(*PACKAGE)
    errors = require("huggingface_hub.errors", "data", "to push to the Hub")
    api = hub.HfApi()
    try:
        api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
        api.upload_folder(
            folder_path=directory,
            repo_id=repo,
            repo_type="dataset",
            commit_message="Rows chosen by qdit",
            ignore_patterns=[".*"],
        )
    except errors.HFValidationError as error:
        raise ValueError(f"push_to_hub: got {repo!r}, wanted a name such as user/dataset") from error
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", "no")
        hint = "; log in with: hf auth login, or set HF_TOKEN" if status in (401, 403) else ""
        raise RuntimeError(f"push_to_hub: the Hub answered {status} for {repo}{hint}") from error
    return f"{api.endpoint}/datasets/{repo}"

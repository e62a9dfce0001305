"""Data of other projects in and out of bundles, one format per module.

Nothing here runs the code that the data carries.
"""

from envscaler_gym.formats.chat_sft import SFTForm, select, sft_messages, sft_rows
from envscaler_gym.formats.envscaler_export import export_envscaler
from envscaler_gym.formats.envscaler_import import ImportReport, Skipped, import_envscaler
from envscaler_gym.formats.saving import save_all

__all__ = [
    "ImportReport",
    "SFTForm",
    "Skipped",
    "export_envscaler",
    "import_envscaler",
    "save_all",
    "select",
    "sft_messages",
    "sft_rows",
]

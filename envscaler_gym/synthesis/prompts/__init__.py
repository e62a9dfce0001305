"""The prompts: one Markdown file each, with their version, and what reads them."""

from envscaler_gym.synthesis.prompts.template import Prompt, all_prompts, load_prompt

__all__ = ["Prompt", "all_prompts", "load_prompt"]

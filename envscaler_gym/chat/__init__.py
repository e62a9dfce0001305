"""Chat: what models say, as actions, and what they are told, as messages."""

from envscaler_gym.chat.parsing import AssistantTurn, RequestedCall, parse_message
from envscaler_gym.chat.prompts import SYSTEM_PROMPT, system_prompt

__all__ = ["SYSTEM_PROMPT", "AssistantTurn", "RequestedCall", "parse_message", "system_prompt"]

"""One episode by hand: look something up, change something, read the score.

python examples/first_episode.py
"""

import json

import gymnasium as gym

import envscaler_gym

gym.register_envs(envscaler_gym)

env = gym.make("envscaler/Library-v0")
task, info = env.reset(seed=0, options={"scenario": "paperback-at-the-desk"})
print(f"{info['environment']}, {info['scenario']} ({info['difficulty']})\n\n{task}\n")


def call(tool: str, /, **arguments: object) -> list[dict[str, str]]:
    """Call a tool and return what it found."""
    observation, _, _, _, step_info = env.step({"name": tool, "arguments": arguments})
    print(f"{tool}({arguments}) -> {step_info['outcome']}")
    data: list[dict[str, str]] = json.loads(observation).get("data", [])
    return data


# An agent would choose these calls. What the first two find, the third needs.
member = call("find_members", name="Tanaka")[0]["member_id"]
book = call("search_books", title="Dune", on_shelf_only=True)[0]["book_id"]
copies = call("list_copies", book_id=book, status="on_shelf")
call("lend_copy", copy_id=copies[0]["copy_id"], member_id=member)

_, reward, terminated, _, info = env.step({"content": "Done: the paperback is checked out to her."})
print(f"\nreward {reward}")
for check in info["score"]["checks"]:
    print("  yes" if check["passed"] else "  no ", check["text"])
env.close()

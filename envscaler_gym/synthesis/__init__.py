"""Synthesis: from tasks or topics to environments that are proven and registered.

::

    settings, config    what a run is asked for         runs          its folder, lock and artefacts
    inputs              tasks and topics from files     artefacts     what stages make
    discovery           which environments to build     workshop      where stages work and ask the model
    planning, skeleton  entities, rules, operations     prompts/      what they ask
    coding/             class and invariants            switchboard   the one place that reaches the model
    assessment/         gates and two agents            pipeline      one environment, all stages
    scenarios/          start states, tasks, checks     engines/      where pipelines work: here, or on Ray
    graph/, growth/     scenarios without a model       running       a run, from its beginning to its report
    publication         the bundle                      events, outcomes   what is told of it
    diversity           how different bundles are

Importing it imports no model library; nothing that runs an environment imports it.
"""

"""The tool dependency graph: which tool supplies, enables or affects which, learnt by executing them."""

from envscaler_gym.synthesis.graph.drawing import draw_graph
from envscaler_gym.synthesis.graph.learning import learn_graph, load_graph
from envscaler_gym.synthesis.graph.measuring import GraphFigures, graph_figures
from envscaler_gym.synthesis.graph.model import Edge, ToolGraph

__all__ = ["Edge", "GraphFigures", "ToolGraph", "draw_graph", "graph_figures", "learn_graph", "load_graph"]

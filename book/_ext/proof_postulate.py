"""Give sphinx_proof a `prf:postulate`, then load it.

The talk calls its main claim a postulate, and so does the book.
"""

from sphinx_proof import domain, nodes, proof_type
from sphinx_proof.directive import DEFAULT_REALTYP_TO_COUNTERTYP, ElementDirective


class postulate_node(nodes.theorem_node):
    pass


class PostulateDirective(ElementDirective):
    name = "postulate"


def setup(app):
    nodes.NODE_TYPES["postulate"] = postulate_node
    DEFAULT_REALTYP_TO_COUNTERTYP["postulate"] = "postulate"
    proof_type.PROOF_TYPES["postulate"] = PostulateDirective
    domain.ProofDomain.directives["postulate"] = PostulateDirective
    app.setup_extension("sphinx_proof")
    return {"parallel_read_safe": True, "parallel_write_safe": True}

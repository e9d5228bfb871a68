"""Has libvirt's LXC driver read domain documents, many in one process.

python3 define.py URI [live]: each line of the input is a document as a JSON string, each line of the
output an object: {"xml": what libvirt makes of it} or {"code": N, "message": TEXT}. With "live" the
document is started, and the answer is that of the running container.
When the daemon goes away with a document, nothing is printed for it and the program ends with 3.
"""

import json
import sys

import libvirt


def define(connection, document):
    """The document as it is stored; it is not kept."""
    domain = connection.defineXML(document)
    try:
        return domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
    finally:
        domain.undefine()


def run(connection, document):
    """The document of the running container, which is ended."""
    domain = connection.createXML(document)
    try:
        return domain.XMLDesc()
    finally:
        domain.destroy()


def answer(act, connection, document):
    """What libvirt says, as an object."""
    try:
        return {"xml": act(connection, document)}
    except libvirt.libvirtError as error:
        if error.get_error_domain() == libvirt.VIR_FROM_RPC:
            sys.exit(3)
        return {"code": error.get_error_code(), "message": error.get_error_message()}


def main():
    """Answers line by line until the input ends."""
    libvirt.registerErrorHandler(lambda *_: None, None)
    try:
        connection = libvirt.open(sys.argv[1])
    except libvirt.libvirtError as error:
        sys.exit(str(error))
    act = run if sys.argv[2:] == ["live"] else define
    for line in sys.stdin:
        print(json.dumps(answer(act, connection, json.loads(line))), flush=True)


main()

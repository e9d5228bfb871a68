"""Has libvirt's LXC driver read domain documents, many in one process.

python3 define.py URI: each line of the input is a document as a JSON string, each line of the
output an object: {"xml": what libvirt makes of it} or {"code": N, "domain": N, "message": TEXT}.
When the daemon goes away with a document, nothing is printed for it and the program ends with 3.
"""

import json
import sys

import libvirt


def define(connection, document):
    """Defines a document, removes it again, and returns the answer."""
    try:
        domain = connection.defineXML(document)
        try:
            return {"xml": domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)}
        finally:
            domain.undefine()
    except libvirt.libvirtError as error:
        if error.get_error_domain() == libvirt.VIR_FROM_RPC:
            sys.exit(3)
        return {
            "code": error.get_error_code(),
            "domain": error.get_error_domain(),
            "message": error.get_error_message(),
        }


def main():
    """Answers line by line until the input ends."""
    libvirt.registerErrorHandler(lambda *_: None, None)
    try:
        connection = libvirt.open(sys.argv[1])
    except libvirt.libvirtError as error:
        sys.exit(str(error))
    for line in sys.stdin:
        print(json.dumps(define(connection, json.loads(line))), flush=True)


main()

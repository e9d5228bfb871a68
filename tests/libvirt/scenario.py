"""libvirt's Python bindings, unmodified, through what they have for containers.

python3 scenario.py URI DOCUMENT: DOCUMENT is a file with a domain whose init answers lines on its
console. Ends with 0 and `ok` when all is as it should be; what is not is a failed assertion.
"""

import os
import sys
import threading
import time

import libvirt

URI, DOCUMENT = sys.argv[1], open(sys.argv[2], encoding="utf-8").read()
EVENTS = []


def refused(code, call, *arguments):
    """Checks that a call fails with a code, and gives the error."""
    try:
        call(*arguments)
    except libvirt.libvirtError as error:
        assert error.get_error_code() == code, (code, error.get_error_code(), str(error))
        return error
    raise AssertionError(f"{call} was not refused")


def wait_for(what):
    """Waits until an event has come."""
    for _ in range(600):
        if what in EVENTS:
            return
        time.sleep(0.05)
    raise AssertionError(f"no {what} in {EVENTS}")


def host(connection):
    """What the connection says of itself and of the host."""
    assert connection.getType() == "LXC"
    assert connection.getLibVersion() >= 10_000_000
    assert connection.getVersion() > 3_000_000
    assert connection.isAlive() and connection.isSecure() and not connection.isEncrypted()
    assert connection.getURI().startswith("lxc:///system")
    assert connection.getHostname() == os.uname().nodename
    model, megabytes, cpus, *_ = connection.getInfo()
    assert model == os.uname().machine and megabytes > 0 and cpus == os.cpu_count()
    assert "<os_type>exe</os_type>" in connection.getCapabilities()
    assert "<domainCapabilities>" in connection.getDomainCapabilities()
    assert connection.getMaxVcpus("lxc") == cpus
    assert connection.getFreeMemory() > 0
    assert connection.getCellsFreeMemory(0, 1)[0] > 0
    assert set(connection.getCPUStats(-1)) == {"kernel", "user", "idle", "iowait"}
    assert connection.getMemoryStats(-1)["total"] > 0
    assert connection.getCPUMap()[0] >= cpus
    assert connection.getFreePages([4], 0, 1)[0][4] > 0
    assert "shm_pages_to_scan" in connection.getMemoryParameters()
    assert connection.getSecurityModel() == ["none", "0"]
    assert connection.listAllNetworks() == [] and connection.listNetworks() == []
    assert connection.listAllStoragePools() == [] and connection.listStoragePools() == []
    assert connection.listAllDevices() == [] and connection.listDevices(None) == []
    assert connection.listAllInterfaces() == [] and connection.listInterfaces() == []
    assert connection.listAllNWFilters() == [] and connection.listAllSecrets() == []
    refused(libvirt.VIR_ERR_NO_SUPPORT, connection.restore, "/nowhere")
    config = "lxc.uts.name = web\nlxc.rootfs.path = /srv/web\n"
    assert "<name>web</name>" in connection.domainXMLFromNative("lxc-tools", config)
    assert "lxc.rootfs.path" in connection.domainXMLToNative("lxc-tools", DOCUMENT)
    refused(libvirt.VIR_ERR_INVALID_ARG, connection.domainXMLFromNative, "vmx", config)


def definition(connection):
    """A domain that does not run."""
    domain = connection.defineXML(DOCUMENT)
    wait_for((domain.name(), "lifecycle", 0, 0))
    assert domain.ID() == -1 and domain.isPersistent() and not domain.isActive()
    assert not domain.isUpdated() and not domain.hasManagedSaveImage()
    assert domain.OSType() == "exe" and domain.state()[0] == libvirt.VIR_DOMAIN_SHUTOFF
    assert connection.lookupByName(domain.name()).UUIDString() == domain.UUIDString()
    assert connection.lookupByUUID(domain.UUID()).name() == domain.name()
    assert connection.lookupByUUIDString(domain.UUIDString()).name() == domain.name()
    assert domain.name() in connection.listDefinedDomains()
    assert connection.numOfDefinedDomains() == 1 and connection.numOfDomains() == 0
    assert [it.name() for it in connection.listAllDomains()] == [domain.name()]
    refused(libvirt.VIR_ERR_NO_DOMAIN, connection.lookupByName, "nobody")
    refused(libvirt.VIR_ERR_NO_DOMAIN, connection.lookupByID, 1)
    domain.setAutostart(1)
    assert domain.autostart() == 1
    domain.setAutostart(0)
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "a title", None, None)
    wait_for((domain.name(), "metadata", 1, None))
    assert domain.metadata(libvirt.VIR_DOMAIN_METADATA_TITLE, None) == "a title"
    space = "http://example.org/x"
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<a/>", "x", space)
    wait_for((domain.name(), "metadata", 2, space))
    config = libvirt.VIR_DOMAIN_AFFECT_CONFIG
    domain.setMemoryFlags(64 << 10, config)
    domain.setMaxMemory(96 << 10)
    assert domain.maxMemory() == 96 << 10
    domain.setMemoryParameters({"soft_limit": 50_000}, config)
    assert domain.memoryParameters(config)["soft_limit"] == 50_000
    domain.setBlkioParameters({"weight": 300}, config)
    assert domain.blkioParameters(config)["weight"] == 300
    domain.setSchedulerParametersFlags({"cpu_shares": 512}, config)
    assert domain.schedulerParametersFlags(config)["cpu_shares"] == 512
    assert list(domain.schedulerType()) == ["posix", 3]
    assert domain.vcpusFlags(config) == 1
    assert domain.info()[0] == libvirt.VIR_DOMAIN_SHUTOFF
    invalid = libvirt.VIR_ERR_OPERATION_INVALID
    for call in (domain.destroy, domain.shutdown, domain.suspend, domain.resume, domain.memoryStats):
        refused(invalid, call)
    return domain


def console(connection, domain):
    """A word goes to init and comes back."""
    stream = connection.newStream()
    domain.openConsole(None, stream)
    stream.send(b"hello\n")
    seen = b""
    while b"got hello" not in seen:
        part = stream.recv(1024)
        assert part, seen
        seen += part
    stream.finish()
    aborted = connection.newStream()
    domain.openConsole("console0", aborted)
    aborted.abort()
    refused(libvirt.VIR_ERR_INTERNAL_ERROR, domain.openConsole, "console7", connection.newStream())


def running(connection, domain):
    """A domain that runs."""
    domain.create()
    name = domain.name()
    wait_for((name, "lifecycle", 2, 0))
    assert domain.ID() > 1 and domain.isActive()
    assert connection.lookupByID(domain.ID()).name() == name
    assert connection.listDomainsID() == [domain.ID()]
    refused(libvirt.VIR_ERR_OPERATION_INVALID, domain.create)
    console(connection, domain)
    state, maximum, memory, vcpus, _ = domain.info()
    assert (state, maximum, vcpus) == (1, 96 << 10, 1) and memory > 0
    assert domain.memoryStats()["rss"] > 0
    assert domain.getCPUStats(True)[0]["cpu_time"] > 0
    assert len(domain.blockStats("")) == 5 and "rd_bytes" in domain.blockStatsFlags("")
    refused(libvirt.VIR_ERR_INVALID_ARG, domain.interfaceStats, "nothing")
    assert domain.interfaceAddresses(libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE) == {}
    refused(libvirt.VIR_ERR_NO_HOSTNAME, domain.hostname)
    assert domain.securityLabel() == ["", False] and domain.securityLabelList() == []
    assert domain.schedulerParameters()["cpu_shares"] > 0
    domain.setMemory(48 << 10)
    assert domain.memoryParameters()["hard_limit"] == 48 << 10
    assert domain.maxVcpus() == 1 and len(domain.vcpus()[0]) == 1
    assert domain.vcpuPinInfo() and domain.emulatorPinInfo()
    assert domain.numaParameters() == {"numa_mode": 0, "numa_nodeset": ""}
    assert abs(domain.getTime()["seconds"] - time.time()) < 60
    [(found, stats)] = connection.getAllDomainStats()
    assert found.name() == name and stats["state.state"] == 1
    [(_, stats)] = connection.domainListGetStats([domain], libvirt.VIR_DOMAIN_STATS_BALLOON)
    assert stats["balloon.maximum"] == 96 << 10 and "state.state" not in stats
    domain.suspend()
    wait_for((name, "lifecycle", 3, 0))
    assert domain.state() == [libvirt.VIR_DOMAIN_PAUSED, 1]
    domain.resume()
    wait_for((name, "lifecycle", 4, 0))
    refused(libvirt.VIR_ERR_OPERATION_INVALID, domain.resume)
    refused(libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED, domain.sendProcessSignal, 2, 1)
    refused(libvirt.VIR_ERR_NO_SUPPORT, domain.save, "/nowhere")
    refused(libvirt.VIR_ERR_NO_SUPPORT, domain.snapshotNum)
    refused(libvirt.VIR_ERR_INVALID_ARG, domain.XMLDesc, 1 << 9)
    domain.destroy()
    wait_for((name, "lifecycle", 5, 1))
    domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE)
    wait_for((name, "lifecycle", 1, 0))
    refused(libvirt.VIR_ERR_NO_DOMAIN, domain.info)


def read_only():
    """Looking is allowed, nothing else."""
    connection = libvirt.openReadOnly(URI)
    assert connection.getType() == "LXC"
    refused(libvirt.VIR_ERR_OPERATION_DENIED, connection.defineXML, DOCUMENT)
    connection.close()


def autodestroy(connection):
    """A domain ends with the connection that started it."""
    other = libvirt.open(URI)
    domain = other.createXML(DOCUMENT, libvirt.VIR_DOMAIN_START_AUTODESTROY)
    name = domain.name()
    assert [it.name() for it in connection.listAllDomains()] == [name]
    del domain
    before = EVENTS.count((name, "lifecycle", 5, 1))
    other.close()
    for _ in range(600):
        if EVENTS.count((name, "lifecycle", 5, 1)) > before:
            break
        time.sleep(0.05)
    assert connection.listAllDomains() == []


def forks():
    """Children have connections of their own. Before there are threads, whose locks a child would
    have for good."""
    connection = libvirt.open(URI)
    children = []
    for _ in range(8):
        pid = os.fork()
        if pid == 0:
            os._exit(0 if libvirt.open(URI).getType() == "LXC" else 1)
        children.append(pid)
    assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)
    assert connection.getHostname()
    connection.close()


def many():
    """A hundred connections at once."""
    connections = [libvirt.open(URI) for _ in range(100)]
    assert all(it.getType() == "LXC" for it in connections)
    assert all(it.getHostname() for it in connections)
    for connection in connections:
        connection.close()


def main():
    """All of it, with a loop of events beside."""
    libvirt.registerErrorHandler(lambda *_: None, None)
    forks()
    libvirt.virEventRegisterDefaultImpl()

    def loop():
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=loop, daemon=True).start()
    connection = libvirt.open(URI)
    connection.setKeepAlive(5, 3)
    connection.registerCloseCallback(lambda *_: None, None)

    def lifecycle(_connection, domain, event, detail, _opaque):
        EVENTS.append((domain.name(), "lifecycle", event, detail))

    def metadata(_connection, domain, kind, uri, _opaque):
        EVENTS.append((domain.name(), "metadata", kind, uri))

    ids = [
        connection.domainEventRegisterAny(None, 0, lifecycle, None),
        connection.domainEventRegisterAny(None, 23, metadata, None),
    ]
    others = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 24, 25]
    ids += [connection.domainEventRegisterAny(None, it, lambda *_: None, None) for it in others]
    host(connection)
    running(connection, definition(connection))
    autodestroy(connection)
    read_only()
    many()
    for callback in ids:
        connection.domainEventDeregisterAny(callback)
    connection.unregisterCloseCallback()
    connection.close()
    print("ok")


main()

"""The fields of an inspect document as templates of Registrator know them. Pure data.

Names and their order are those of go-dockerclient's structs, as Registrator prints them with
``%#v``; Docker's own keys differ from them only in capitals. A field's kind is written ``s`` text,
``b`` switch, ``i`` int, ``l`` int64, ``t`` time, ``d`` duration, ``e`` the empty struct, ``[x`` a
list, ``{x`` a map from texts, ``@x`` a map from ports, ``*Name`` a pointer, ``Name`` a struct.
"""

from collections.abc import Mapping
from typing import Final

__all__ = ["SHAPES"]

_FIELDS: Final = {
    "Container": """
        ID:s Created:t Path:s Args:[s Config:*Config State:State Image:s Node:*SwarmNode
        NetworkSettings:*NetworkSettings SysInitPath:s ResolvConfPath:s HostnamePath:s HostsPath:s
        LogPath:s Name:s Driver:s Mounts:[Mount Volumes:{s VolumesRW:{b HostConfig:*HostConfig
        ExecIDs:[s GraphDriver:*GraphDriver RestartCount:i AppArmorProfile:s""",
    "Config": """
        Hostname:s Domainname:s User:s Memory:l MemorySwap:l MemoryReservation:l KernelMemory:l
        CPUShares:l CPUSet:s PortSpecs:[s ExposedPorts:@e PublishService:s StopSignal:s
        StopTimeout:i Env:[s Cmd:[s Healthcheck:*HealthConfig DNS:[s Image:s Volumes:{e
        VolumeDriver:s WorkingDir:s MacAddress:s Entrypoint:[s SecurityOpts:[s OnBuild:[s
        Mounts:[Mount Labels:{s AttachStdin:b AttachStdout:b AttachStderr:b ArgsEscaped:b Tty:b
        OpenStdin:b StdinOnce:b NetworkDisabled:b VolumesFrom:s""",
    "State": """
        Status:s Running:b Paused:b Restarting:b OOMKilled:b RemovalInProgress:b Dead:b Pid:i
        ExitCode:i Error:s StartedAt:t FinishedAt:t Health:Health""",
    "Health": "Status:s FailingStreak:i Log:[HealthCheck",
    "HealthCheck": "Start:t End:t ExitCode:i Output:s",
    "HealthConfig": "Test:[s Interval:d Timeout:d StartPeriod:d Retries:i",
    "SwarmNode": "ID:s IP:s Addr:s Name:s CPUs:l Memory:l Labels:{s",
    "NetworkSettings": """
        Networks:{ContainerNetwork IPAddress:s IPPrefixLen:i MacAddress:s Gateway:s Bridge:s
        PortMapping:{{s Ports:@[PortBinding NetworkID:s EndpointID:s SandboxKey:s
        GlobalIPv6Address:s GlobalIPv6PrefixLen:i IPv6Gateway:s LinkLocalIPv6Address:s
        LinkLocalIPv6PrefixLen:i SecondaryIPAddresses:[s SecondaryIPv6Addresses:[s""",
    "ContainerNetwork": """
        Aliases:[s MacAddress:s GlobalIPv6PrefixLen:i GlobalIPv6Address:s IPv6Gateway:s
        IPPrefixLen:i IPAddress:s Gateway:s EndpointID:s NetworkID:s""",
    "PortBinding": "HostIP:s HostPort:s",
    "Mount": "Name:s Source:s Destination:s Driver:s Mode:s RW:b",
    "HostConfig": """
        Binds:[s CapAdd:[s CapDrop:[s GroupAdd:[s ContainerIDFile:s LxcConf:[KeyValuePair
        PortBindings:@[PortBinding Links:[s DNS:[s DNSOptions:[s DNSSearch:[s ExtraHosts:[s
        VolumesFrom:[s UsernsMode:s NetworkMode:s IpcMode:s PidMode:s UTSMode:s
        RestartPolicy:RestartPolicy Devices:[Device DeviceCgroupRules:[s LogConfig:LogConfig
        SecurityOpt:[s Cgroup:s CgroupParent:s Memory:l MemoryReservation:l KernelMemory:l
        MemorySwap:l MemorySwappiness:l CPUShares:l CPUSet:s CPUSetCPUs:s CPUSetMEMs:s CPUQuota:l
        CPUPeriod:l CPURealtimePeriod:l CPURealtimeRuntime:l BlkioWeight:l
        BlkioWeightDevice:[BlockWeight BlkioDeviceReadBps:[BlockLimit
        BlkioDeviceReadIOps:[BlockLimit BlkioDeviceWriteBps:[BlockLimit
        BlkioDeviceWriteIOps:[BlockLimit Ulimits:[ULimit VolumeDriver:s OomScoreAdj:i PidsLimit:l
        ShmSize:l Tmpfs:{s Privileged:b PublishAllPorts:b ReadonlyRootfs:b OOMKillDisable:b
        AutoRemove:b StorageOpt:{s Sysctls:{s CPUCount:l CPUPercent:l IOMaximumBandwidth:l
        IOMaximumIOps:l Mounts:[HostMount Init:b""",
    "HostMount": "Target:s Source:s Type:s ReadOnly:b",
    "KeyValuePair": "Key:s Value:s",
    "BlockWeight": "Path:s Weight:s",
    "BlockLimit": "Path:s Rate:l",
    "Device": "PathOnHost:s PathInContainer:s CgroupPermissions:s",
    "ULimit": "Name:s Soft:l Hard:l",
    "RestartPolicy": "Name:s MaximumRetryCount:i",
    "LogConfig": "Type:s Config:{s",
    "GraphDriver": "Name:s Data:{s",
    "APIPort": "PrivatePort:l PublicPort:l Type:s IP:s",
}

SHAPES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    name: tuple((field, kind) for field, _, kind in (each.partition(":") for each in text.split()))
    for name, text in _FIELDS.items()
}
"""Name of a struct to its fields, in order, with their kinds."""

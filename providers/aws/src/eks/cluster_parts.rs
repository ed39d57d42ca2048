//! The parts of a cluster's configuration: what they hold, and how they are sent and reported.

use std::collections::BTreeSet;

use aws_sdk_eks::types::{
    AccessConfigResponse, AuthenticationMode, BlockStorage as ApiBlockStorage, ComputeConfigRequest,
    ComputeConfigResponse, ControlPlanePlacementRequest, CreateAccessConfigRequest, ElasticLoadBalancing,
    EncryptionConfig as ApiEncryptionConfig, Identity as ApiIdentity, IpFamily, KubernetesNetworkConfigRequest,
    KubernetesNetworkConfigResponse, LogSetup, LogType, Logging, OutpostConfigRequest, OutpostConfigResponse,
    Provider as ApiProvider, RemoteNetworkConfigRequest, RemoteNetworkConfigResponse, RemoteNodeNetwork,
    RemotePodNetwork, StorageConfigRequest, StorageConfigResponse, VpcConfigRequest, VpcConfigResponse,
};
use sdk::{Check, Error, Model, Result};

use crate::checks::{self, ARN, CIDR_V4, PRIVATE_NETWORK};

use super::{list, set, text};

/// `access_config { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct AccessConfig {
    #[attr(optional, computed, valid = Check::Enum(&["API", "API_AND_CONFIG_MAP", "CONFIG_MAP"]))]
    pub(crate) authentication_mode: Option<String>,
    #[attr(optional, force_new)]
    pub(crate) bootstrap_cluster_creator_admin_permissions: Option<bool>,
}

impl AccessConfig {
    pub(crate) fn request(&self) -> CreateAccessConfigRequest {
        CreateAccessConfigRequest::builder()
            .set_authentication_mode(text(&self.authentication_mode).as_deref().map(AuthenticationMode::from))
            // Not configured is `false` for Terraform's provider, though the service's default is `true`.
            .bootstrap_cluster_creator_admin_permissions(
                self.bootstrap_cluster_creator_admin_permissions.unwrap_or_default(),
            )
            .build()
    }

    /// The API doesn't report what was bootstrapped: `known` does.
    pub(crate) fn read(read: AccessConfigResponse, known: Option<&AccessConfig>) -> AccessConfig {
        let bootstrapped = known.map(|known| known.bootstrap_cluster_creator_admin_permissions.unwrap_or_default());
        AccessConfig {
            authentication_mode: Some(read.authentication_mode.map(|m| m.as_str().to_owned()).unwrap_or_default()),
            bootstrap_cluster_creator_admin_permissions: Some(bootstrapped.unwrap_or(true)),
        }
    }
}

/// An element of `certificate_authority`.
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct CertificateAuthority {
    #[attr(computed)]
    pub(crate) data: String,
}

/// An element of `identity`.
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct Identity {
    #[attr(computed)]
    pub(crate) oidc: Vec<Oidc>,
}

/// An element of `identity.oidc`.
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct Oidc {
    #[attr(computed)]
    pub(crate) issuer: String,
}

impl Identity {
    pub(crate) fn read(read: ApiIdentity) -> Identity {
        let oidc = read.oidc.map(|oidc| Oidc { issuer: oidc.issuer.unwrap_or_default() });
        Identity { oidc: oidc.into_iter().collect() }
    }
}

/// `compute_config { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct ComputeConfig {
    #[attr(optional)]
    pub(crate) enabled: Option<bool>,
    #[attr(optional, valid = Check::OneOf(&["general-purpose", "system"]))]
    pub(crate) node_pools: Option<BTreeSet<String>>,
    #[attr(optional, valid = ARN)]
    pub(crate) node_role_arn: Option<String>,
}

impl ComputeConfig {
    pub(crate) fn request(&self) -> ComputeConfigRequest {
        ComputeConfigRequest::builder()
            .enabled(self.enabled.unwrap_or_default())
            .set_node_pools(list(&self.node_pools))
            .set_node_role_arn(text(&self.node_role_arn))
            .build()
    }

    pub(crate) fn read(read: ComputeConfigResponse) -> ComputeConfig {
        ComputeConfig {
            enabled: Some(read.enabled.unwrap_or_default()),
            node_pools: set(read.node_pools),
            node_role_arn: Some(read.node_role_arn.unwrap_or_default()),
        }
    }
}

/// `encryption_config { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct EncryptionConfig {
    #[attr(required, valid = Check::OneOf(&["secrets"]))]
    pub(crate) resources: BTreeSet<String>,
    #[block(list, required, max = 1)]
    pub(crate) provider: Vec<EncryptionProvider>,
}

/// `encryption_config { provider { … } }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct EncryptionProvider {
    #[attr(required)]
    pub(crate) key_arn: String,
}

impl EncryptionConfig {
    #[expect(deprecated, reason = "the service still demands, and reports, what is encrypted")]
    pub(crate) fn request(&self) -> ApiEncryptionConfig {
        let provider = self.provider.first().map(|p| ApiProvider::builder().key_arn(&p.key_arn).build());
        let resources = self.resources.iter().cloned().collect();
        ApiEncryptionConfig::builder().set_provider(provider).set_resources(Some(resources)).build()
    }

    #[expect(deprecated, reason = "the service still demands, and reports, what is encrypted")]
    pub(crate) fn read(read: ApiEncryptionConfig) -> EncryptionConfig {
        let provider = read.provider.map(|p| EncryptionProvider { key_arn: p.key_arn.unwrap_or_default() });
        EncryptionConfig {
            resources: read.resources.unwrap_or_default().into_iter().collect(),
            provider: provider.into_iter().collect(),
        }
    }
}

/// `kubernetes_network_config { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct KubernetesNetworkConfig {
    #[attr(optional, computed, force_new, valid = Check::Enum(&["ipv4", "ipv6"]))]
    pub(crate) ip_family: Option<String>,
    #[attr(optional, computed, force_new, valid = [Check::Text(|key, text| checks::network(key, text, 12, 24)), PRIVATE_NETWORK])]
    pub(crate) service_ipv4_cidr: Option<String>,
    #[attr(computed)]
    pub(crate) service_ipv6_cidr: Option<String>,
    #[block(list, max = 1, computed)]
    pub(crate) elastic_load_balancing: Vec<Switch>,
}

/// `elastic_load_balancing { … }`, `block_storage { … }`, `zonal_shift_config { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct Switch {
    #[attr(optional)]
    pub(crate) enabled: Option<bool>,
}

impl Switch {
    pub(crate) fn on(&self) -> bool {
        self.enabled.unwrap_or_default()
    }

    pub(crate) fn read(enabled: Option<bool>) -> Switch {
        Switch { enabled: Some(enabled.unwrap_or_default()) }
    }
}

impl KubernetesNetworkConfig {
    pub(crate) fn request(&self) -> KubernetesNetworkConfigRequest {
        let balancing = self.elastic_load_balancing.first();
        let balancing = balancing.map(|switch| ElasticLoadBalancing::builder().enabled(switch.on()).build());
        KubernetesNetworkConfigRequest::builder()
            .set_elastic_load_balancing(balancing)
            .set_ip_family(text(&self.ip_family).as_deref().map(IpFamily::from))
            .set_service_ipv4_cidr(text(&self.service_ipv4_cidr))
            .build()
    }

    pub(crate) fn read(read: KubernetesNetworkConfigResponse) -> KubernetesNetworkConfig {
        let balancing = read.elastic_load_balancing.map(|balancing| Switch::read(balancing.enabled));
        KubernetesNetworkConfig {
            ip_family: Some(read.ip_family.map(|family| family.as_str().to_owned()).unwrap_or_default()),
            service_ipv4_cidr: Some(read.service_ipv4_cidr.unwrap_or_default()),
            service_ipv6_cidr: Some(read.service_ipv6_cidr.unwrap_or_default()),
            elastic_load_balancing: balancing.into_iter().collect(),
        }
    }
}

/// `outpost_config { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct OutpostConfig {
    #[attr(required, force_new)]
    pub(crate) control_plane_instance_type: String,
    #[attr(required)]
    pub(crate) outpost_arns: BTreeSet<String>,
    #[block(list, max = 1)]
    pub(crate) control_plane_placement: Vec<ControlPlanePlacement>,
}

/// `outpost_config { control_plane_placement { … } }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct ControlPlanePlacement {
    #[attr(required, force_new)]
    pub(crate) group_name: String,
}

impl OutpostConfig {
    pub(crate) fn request(&self) -> Result<OutpostConfigRequest> {
        let placement = self.control_plane_placement.first();
        let placement = placement.map(|p| ControlPlanePlacementRequest::builder().group_name(&p.group_name).build());
        OutpostConfigRequest::builder()
            .control_plane_instance_type(&self.control_plane_instance_type)
            .set_outpost_arns(Some(self.outpost_arns.iter().cloned().collect()))
            .set_control_plane_placement(placement)
            .build()
            .map_err(|error| Error::new(format!("outpost_config: {error}")))
    }

    pub(crate) fn read(read: OutpostConfigResponse) -> OutpostConfig {
        let placement = read.control_plane_placement.and_then(|placement| placement.group_name);
        OutpostConfig {
            control_plane_instance_type: read.control_plane_instance_type,
            outpost_arns: read.outpost_arns.into_iter().collect(),
            control_plane_placement: placement
                .map(|group_name| ControlPlanePlacement { group_name })
                .into_iter()
                .collect(),
        }
    }
}

/// `remote_network_config { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct RemoteNetworkConfig {
    #[block(list, required, max = 1)]
    pub(crate) remote_node_networks: Vec<RemoteNetworks>,
    #[block(list, max = 1, computed)]
    pub(crate) remote_pod_networks: Vec<RemoteNetworks>,
}

/// `remote_node_networks { … }`, `remote_pod_networks { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct RemoteNetworks {
    #[attr(optional, force_new, valid = [CIDR_V4, PRIVATE_NETWORK])]
    pub(crate) cidrs: Option<BTreeSet<String>>,
}

impl RemoteNetworkConfig {
    pub(crate) fn request(&self) -> RemoteNetworkConfigRequest {
        let nodes = self.remote_node_networks.iter();
        let nodes = nodes.map(|networks| RemoteNodeNetwork::builder().set_cidrs(list(&networks.cidrs)).build());
        let pods = self.remote_pod_networks.iter();
        let pods = pods.map(|networks| RemotePodNetwork::builder().set_cidrs(list(&networks.cidrs)).build());
        let pods: Vec<RemotePodNetwork> = pods.collect();
        RemoteNetworkConfigRequest::builder()
            .set_remote_node_networks(Some(nodes.collect()))
            .set_remote_pod_networks((!pods.is_empty()).then_some(pods))
            .build()
    }

    pub(crate) fn read(read: RemoteNetworkConfigResponse) -> RemoteNetworkConfig {
        let nodes = read.remote_node_networks.unwrap_or_default().into_iter();
        let pods = read.remote_pod_networks.unwrap_or_default().into_iter();
        RemoteNetworkConfig {
            remote_node_networks: nodes.map(|networks| RemoteNetworks { cidrs: set(networks.cidrs) }).collect(),
            remote_pod_networks: pods.map(|networks| RemoteNetworks { cidrs: set(networks.cidrs) }).collect(),
        }
    }
}

/// `storage_config { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct StorageConfig {
    #[block(list, max = 1)]
    pub(crate) block_storage: Vec<Switch>,
}

impl StorageConfig {
    pub(crate) fn request(&self) -> StorageConfigRequest {
        let storage = self.block_storage.first();
        let storage = storage.map(|switch| ApiBlockStorage::builder().enabled(switch.on()).build());
        StorageConfigRequest::builder().set_block_storage(storage).build()
    }

    pub(crate) fn read(read: StorageConfigResponse) -> StorageConfig {
        let storage = read.block_storage.map(|storage| Switch::read(storage.enabled));
        StorageConfig { block_storage: storage.into_iter().collect() }
    }
}

/// `upgrade_policy { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct UpgradePolicy {
    #[attr(optional, computed, valid = Check::Enum(&["STANDARD", "EXTENDED"]))]
    pub(crate) support_type: Option<String>,
}

/// `vpc_config { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct VpcConfig {
    #[attr(computed)]
    pub(crate) cluster_security_group_id: Option<String>,
    #[attr(optional, default = false)]
    pub(crate) endpoint_private_access: Option<bool>,
    #[attr(optional, default = true)]
    pub(crate) endpoint_public_access: Option<bool>,
    #[attr(optional, computed)]
    pub(crate) public_access_cidrs: Option<BTreeSet<String>>,
    #[attr(optional)]
    pub(crate) security_group_ids: Option<BTreeSet<String>>,
    #[attr(required)]
    pub(crate) subnet_ids: BTreeSet<String>,
    #[attr(computed)]
    pub(crate) vpc_id: Option<String>,
}

impl VpcConfig {
    pub(crate) fn request(&self) -> VpcConfigRequest {
        VpcConfigRequest::builder()
            .set_endpoint_private_access(self.endpoint_private_access)
            .set_endpoint_public_access(self.endpoint_public_access)
            .set_public_access_cidrs(list(&self.public_access_cidrs))
            .set_security_group_ids(list(&self.security_group_ids))
            .set_subnet_ids(Some(self.subnet_ids.iter().cloned().collect()))
            .build()
    }

    pub(crate) fn read(read: VpcConfigResponse) -> VpcConfig {
        VpcConfig {
            cluster_security_group_id: Some(read.cluster_security_group_id.unwrap_or_default()),
            endpoint_private_access: Some(read.endpoint_private_access),
            endpoint_public_access: Some(read.endpoint_public_access),
            public_access_cidrs: set(read.public_access_cidrs),
            security_group_ids: set(read.security_group_ids),
            subnet_ids: read.subnet_ids.unwrap_or_default().into_iter().collect(),
            vpc_id: Some(read.vpc_id.unwrap_or_default()),
        }
    }
}

const LOG_TYPES: [LogType; 5] =
    [LogType::Api, LogType::Audit, LogType::Authenticator, LogType::ControllerManager, LogType::Scheduler];

/// All types of logs, those on and those off: what isn't said stays as it is.
pub(crate) fn logging(enabled: &Option<BTreeSet<String>>) -> Logging {
    let is_on = |kind: &LogType| enabled.as_ref().is_some_and(|enabled| enabled.contains(kind.as_str()));
    let (on, off) = LOG_TYPES.into_iter().partition::<Vec<LogType>, _>(is_on);
    let setup = |enabled, types| LogSetup::builder().enabled(enabled).set_types(Some(types)).build();
    Logging::builder().cluster_logging(setup(true, on)).cluster_logging(setup(false, off)).build()
}

/// The types of logs that are on.
pub(crate) fn enabled_logs(logging: Option<Logging>) -> BTreeSet<String> {
    let setups = logging.and_then(|logging| logging.cluster_logging).unwrap_or_default().into_iter();
    let on = setups.filter(|setup| setup.enabled == Some(true));
    on.flat_map(|setup| setup.types.unwrap_or_default()).map(|kind| kind.as_str().to_owned()).collect()
}

"""The networks of functions that are in one: where code under test runs, from where jobs and their reports
can be reached and nothing else; and one that a deployment names, for what speaks to a forge that is in there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_route53resolver as resolver
from constructs import Construct

from infra.forge_vpc import ForgeVpc
from infra.spec import May, Spec
from infra.storage import LOG_RETENTION


class IsolatedNetwork(Construct):
    """A VPC without internet or NAT gateway. Its only way out is S3's gateway endpoint, to one folder.

    bucket_domain_name: of the bucket in its region, by which jobs and reports are addressed. The VPC's
    resolver answers for no other name. prefix: of the deployment's names.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        bucket_arn: str,
        bucket_domain_name: str,
        availability_zones: Sequence[str],
        prefix: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self._prefix = prefix
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr("10.80.0.0/24"),
            availability_zones=list(availability_zones) or None,
            max_azs=None if availability_zones else 2,
            nat_gateways=0,
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=26
                )
            ],
        )
        endpoint = self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        endpoint.add_to_policy(
            iam.PolicyStatement(
                principals=[iam.AnyPrincipal()],
                actions=["s3:GetObject", "s3:PutObject"],
                resources=[f"{bucket_arn}/runs/*"],
            )
        )
        self.security_group = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=self.vpc,
            allow_all_outbound=False,
            description="HTTPS out, which the route table sends to S3 or nowhere",
        )
        self.security_group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "S3 gateway endpoint")
        self.security_groups = (self.security_group,)
        self.subnets: ec2.SubnetSelection | None = None
        self._answer_for(bucket_domain_name)
        self._log_what_is_refused()

    def _log_what_is_refused(self) -> None:
        """Whatever tried to leave: on a good day there is nothing."""
        group = logs.LogGroup(
            self,
            "Flows",
            log_group_name=f"/aws/vpc/{self._prefix}sandbox",
            retention=LOG_RETENTION,
            removal_policy=RemovalPolicy.DESTROY,
        )
        here = {"StringEquals": {"aws:SourceAccount": Stack.of(self).account}}
        service = iam.ServicePrincipal("vpc-flow-logs.amazonaws.com", conditions=here)
        role = iam.Role(self, "FlowsRole", assumed_by=service)
        self.vpc.add_flow_log(
            "Refused",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(group, role),
            traffic_type=ec2.FlowLogTrafficType.REJECT,
        )

    def _answer_for(self, domain_name: str) -> None:
        """Have the VPC's resolver answer for one name alone.

        No security group and no route holds it, and it passes questions on, in whose names data can travel.
        https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resolver-dns-firewall-overview.html
        """

        def names(construct_id: str, *domains: str) -> str:
            name = f"{self._prefix}sandbox-{construct_id.lower()}"
            found = resolver.CfnFirewallDomainList(self, construct_id, name=name, domains=list(domains))
            return found.attr_id

        rule = resolver.CfnFirewallRuleGroup.FirewallRuleProperty
        rules = resolver.CfnFirewallRuleGroup(
            self,
            "Names",
            name=f"{self._prefix}sandbox",
            firewall_rules=[
                rule(
                    action="ALLOW",
                    firewall_domain_list_id=names("Bucket", domain_name),
                    priority=1,
                    # S3's names are aliases of others, which S3 alone chooses.
                    firewall_domain_redirection_action="TRUST_REDIRECTION_DOMAIN",
                ),
                rule(
                    action="BLOCK",
                    block_response="NODATA",
                    firewall_domain_list_id=names("Everything", "*"),
                    priority=2,
                ),
            ],
        )
        resolver.CfnFirewallRuleGroupAssociation(
            self,
            "NamesInVpc",
            name=f"{self._prefix}sandbox",
            firewall_rule_group_id=rules.attr_id,
            vpc_id=self.vpc.vpc_id,
            priority=101,
        )


class ForgeNetwork(Construct):
    """The subnets that a deployment names, from which its forge can be reached, and AWS's own services.

    No lookup: synthesis needs no credentials. Functions have no way in, and go out by HTTPS and SSH alone.
    """

    def __init__(self, scope: Construct, construct_id: str, named: ForgeVpc) -> None:
        super().__init__(scope, construct_id)
        subnets = [
            ec2.Subnet.from_subnet_id(self, f"Subnet{number}", subnet_id)
            for number, subnet_id in enumerate(named.subnet_ids, 1)
        ]
        # The zones are not looked up, and nothing asks for them; the CDK wants one named.
        zones = ["unknown"]
        self.vpc = ec2.Vpc.from_vpc_attributes(self, "Vpc", vpc_id=named.vpc_id, availability_zones=zones)
        self.subnets = ec2.SubnetSelection(subnets=subnets)
        given = [
            ec2.SecurityGroup.from_security_group_id(self, f"SecurityGroup{number}", group, mutable=False)
            for number, group in enumerate(named.security_group_ids, 1)
        ]
        self.security_groups = tuple(given) or (self._own(),)

    def _own(self) -> ec2.ISecurityGroup:
        made = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=self.vpc,
            allow_all_outbound=False,
            description="HTTPS and SSH out, to the forge and to AWS",
        )
        for port, what in ((443, "HTTPS"), (22, "SSH, for deploy keys")):
            made.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(port), what)
        return made


@dataclass(frozen=True)
class Networks:
    """All networks of a deployment."""

    sandbox: IsolatedNetwork
    forge: ForgeNetwork | None = None

    def of(self, spec: Spec) -> IsolatedNetwork | ForgeNetwork | None:
        """Where a function is; None for none. Who may read the credentials of forges speaks to them."""
        if spec.runs_strangers:
            return self.sandbox
        return self.forge if May.READ_CREDENTIALS in spec.may else None
